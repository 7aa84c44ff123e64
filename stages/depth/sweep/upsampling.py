"""Upsampling of depth to the resolution of the image, along the image's edges."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mvrecon.geometry.transfer import FloatMap

# Grey levels that weigh as much as one coarse pixel of distance.
COLOR_SCALE = 6.0


def upsample_by_color(coarse_hw: FloatMap, coarse_gray_hw: FloatMap, gray_hw: FloatMap) -> FloatMap:
    """Give each pixel the surface of the nearby coarse pixel that is most like it.

    A coarse pixel's surface is extended by its slope, so that slanted surfaces stay smooth,
    and nothing is mixed across an edge (a selective form of joint bilateral upsampling,
    Kopf 2007).

    Args:
        coarse_hw: inverse depth.
        coarse_gray_hw: the image at that size.
        gray_hw: the image at the size wanted.
    """
    height, width = gray_hw.shape
    y_h, row_h = _coarse_positions(height, coarse_hw.shape[0])
    x_w, column_w = _coarse_positions(width, coarse_hw.shape[1])
    slope_y_hw, slope_x_hw = _slopes(coarse_hw, 0), _slopes(coarse_hw, 1)
    result_hw = np.empty_like(gray_hw)
    least_hw = np.full_like(gray_hw, np.inf)
    for dy in (-1, 0, 1):
        for dx in (-1, 0, 1):
            rows_h1 = np.clip(row_h + dy, 0, coarse_hw.shape[0] - 1)[:, None]
            columns_1w = np.clip(column_w + dx, 0, coarse_hw.shape[1] - 1)[None]
            to_y_h1, to_x_1w = y_h[:, None] - rows_h1, x_w[None] - columns_1w
            unlikeness_hw = np.abs(coarse_gray_hw[rows_h1, columns_1w] - gray_hw)
            unlikeness_hw /= np.float32(COLOR_SCALE)
            unlikeness_hw += (to_y_h1**2 + to_x_1w**2).astype(np.float32)
            better_hw = unlikeness_hw < least_hw
            np.copyto(least_hw, unlikeness_hw, where=better_hw)
            extended_hw = coarse_hw[rows_h1, columns_1w]
            extended_hw += slope_y_hw[rows_h1, columns_1w] * to_y_h1.astype(np.float32)
            extended_hw += slope_x_hw[rows_h1, columns_1w] * to_x_1w.astype(np.float32)
            np.copyto(result_hw, extended_hw, where=better_hw)
    return result_hw


def _coarse_positions(size: int, coarse_size: int) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Coordinate in the coarse image of each pixel, and the nearest coarse pixel."""
    position = (np.arange(size, dtype=np.float64) + 0.5) * (coarse_size / size) - 0.5
    return position, np.clip(np.round(position).astype(np.intp), 0, coarse_size - 1)


def _slopes(values_hw: FloatMap, axis: int) -> FloatMap:
    """The gentler of the two one-sided slopes, 0 where they disagree in sign (minmod)."""
    step = np.diff(values_hw, axis=axis)
    zero = np.zeros_like(np.take(values_hw, [0], axis=axis))
    before = np.concatenate([zero, step], axis=axis)
    after = np.concatenate([step, zero], axis=axis)
    gentler = np.where(np.abs(before) < np.abs(after), before, after)
    return np.asarray(np.where(before * after > 0, gentler, np.float32(0)))
