"""Training of the depth network."""
