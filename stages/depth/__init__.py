"""The depth stage."""
