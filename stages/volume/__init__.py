"""The stages from a volume, as CT or MR, to meshes."""
