"""The segment stage of a volume."""
