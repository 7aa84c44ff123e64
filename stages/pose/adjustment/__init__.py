"""Bundle adjustment of cameras that COLMAP has no model for."""
