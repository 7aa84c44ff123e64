"""The frames stage."""
