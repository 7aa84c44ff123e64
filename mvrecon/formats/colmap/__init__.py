"""COLMAP models: what they hold, and their files."""
