"""The pose stage."""
