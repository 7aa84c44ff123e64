"""The mesh stage of a volume."""
