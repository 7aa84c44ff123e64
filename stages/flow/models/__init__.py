"""Flow models: what one is, which there are, and how each computes."""
