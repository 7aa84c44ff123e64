"""Matches between images, from tracks and from descriptors."""
