"""Slices put between thick ones."""
