"""Learned depth: a network that corrects a coarse sweep."""
