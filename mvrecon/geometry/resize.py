"""Sizes of shrunk images, and shrinking them."""

from __future__ import annotations

from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

P = TypeVar("P", np.uint8, np.float32)


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


def resize_by_area(pixels: NDArray[P], size_wh: tuple[int, int]) -> NDArray[P]:
    """An image (h, w) or (h, w, 3) of another size, each pixel the mean of those it covers.

    Means of 8-bit pixels are rounded; give float32 where that matters.
    """
    if pixels.shape[1::-1] == tuple(size_wh):
        return pixels
    resized = cv2.resize(pixels, size_wh, interpolation=cv2.INTER_AREA)
    return np.asarray(resized, pixels.dtype)
