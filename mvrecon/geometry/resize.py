"""Sizes of shrunk images."""

from __future__ import annotations


def fit_size(size: tuple[int, int], longest_px: int | None) -> tuple[int, int]:
    """(width, height) with the same shape, no side above `longest_px`; never larger.

    Args:
        size: (width, height).
        longest_px: bound of the longer side, or None for no bound.
    """
    if longest_px is None or max(size) <= longest_px:
        return size
    scale = longest_px / max(size)
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))
