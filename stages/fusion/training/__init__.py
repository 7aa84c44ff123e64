"""Training of the learned fusion."""
