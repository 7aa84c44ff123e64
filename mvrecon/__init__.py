"""Video or photos in; cameras, dense depth, a coloured mesh and a report out."""

__version__ = "0.1.0"
