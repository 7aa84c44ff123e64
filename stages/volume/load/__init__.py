"""The load stage of a volume."""
