"""Tables of poses: beside pycolmap's, of unusual cameras, of moving things, of long input."""
