"""Training of mvflow."""
