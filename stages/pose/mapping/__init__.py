"""From matches to cameras and points, by pycolmap."""
