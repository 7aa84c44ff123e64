"""The flow stage."""
