"""Training of the learned part of volumes."""
