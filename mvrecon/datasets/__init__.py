"""Data sets with ground truth, in their own on-disk layouts."""
