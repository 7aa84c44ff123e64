"""The surface stage."""
