"""Cameras, rigid transforms, projection, triangulation and alignment."""
