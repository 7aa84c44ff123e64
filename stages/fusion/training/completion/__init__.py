"""Training of the prior over depth."""
