"""Image pairs with exact flow for training: layered 2D scenes and rigid 3D ones."""
