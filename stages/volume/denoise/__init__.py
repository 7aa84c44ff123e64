"""The denoise stage of a volume."""
