"""Depth where no view measured it, from a learned prior."""
