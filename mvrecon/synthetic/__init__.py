"""Rendered scenes with exact ground truth, for training, tests and the sample clip."""
