"""The texture stage."""
