"""Zero-mean normalised cross-correlation of windows, over several views in one pass.

Row by row: sums over the windows' columns move down the image with it, and what is in work stays
in the processor's nearest memory.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from mvrecon.compiled import compiled
from mvrecon.geometry.transfer import FloatMap

# Variance of the noise (grey levels²) below which a window counts as having no texture.
NOISE_VARIANCE = np.float32(8.0)
# Cost of a hypothesis that no view can speak for: that of uncorrelated windows.
NEUTRAL_COST = np.float32(1.0)
# Weight, in views, of the neutral cost: one lucky view shall not win over several.
PRIOR_VIEWS = np.float32(0.5)
# Of 8-bit costs.
LARGEST_COST = np.float32(127)

Row = NDArray[np.float32]


@dataclass(frozen=True)
class Windows:
    """Square windows of one image, which others are compared with.

    Attributes:
        level: grey level that is taken off all images: it keeps the variances from cancelling
            in single precision.
        image_hw: the image less that level, float32.
        mean_hw: its means over the windows.
        variance_hw: its variances over the windows (grey levels²).
        size_px: side of the windows.
    """

    level: np.float32
    image_hw: FloatMap
    mean_hw: FloatMap
    variance_hw: FloatMap
    size_px: int

    @classmethod
    def of(cls, gray_hw: FloatMap, size_px: int) -> Windows:
        """Windows of a grey image, float32, 0…255."""
        level = np.float32(gray_hw.mean())
        image_hw = gray_hw - level
        mean_hw, square_hw = (
            np.asarray(
                cv2.boxFilter(
                    values_hw, cv2.CV_32F, (size_px, size_px), borderType=cv2.BORDER_REFLECT
                ),
                np.float32,
            )
            for values_hw in (image_hw, image_hw * image_hw)
        )
        variance_hw = np.maximum(square_hw - mean_hw**2, 0.0)
        return cls(level, image_hw, mean_hw, variance_hw, size_px)

    def costs(
        self,
        others_nhw: NDArray[np.float32],
        seen_nhw: NDArray[np.bool_],
        out_hw: NDArray[np.uint8],
    ) -> None:
        """Mean cost of the better half of the views that see a pixel.

        A view's cost is 1 − correlation, clipped to 0…1 (1 = uncorrelated or without texture).
        Taking the best part of the views is robust to occlusion in the others (Kang 2001).

        Args:
            others_nhw: grey images, warped to this one.
            seen_nhw: which of their pixels count.
            out_hw: takes the costs, 0…127; drawn to 127 where few views see a pixel.
        """
        deviation_hw = np.sqrt(self.variance_hw + NOISE_VARIANCE)
        _costs_of_views(
            self.image_hw,
            self.mean_hw,
            deviation_hw,
            others_nhw,
            seen_nhw,
            self.level,
            self.size_px,
            out_hw,
        )


@compiled
def _costs_of_views(  # noqa: PLR0917
    image_hw: FloatMap,
    mean_hw: FloatMap,
    deviation_hw: FloatMap,
    others_nhw: NDArray[np.float32],
    seen_nhw: NDArray[np.bool_],
    level: np.float32,
    size_px: int,
    out_hw: NDArray[np.uint8],
) -> None:
    views, height, width = others_nhw.shape
    radius = size_px // 2
    kept = (views + 1) // 2
    columns_n3w = np.zeros((views, 3, width), np.float32)
    windows_3w = np.empty((3, width), np.float32)
    padded_w = np.empty(width + size_px, np.float32)
    cost_w = np.empty(width, np.float32)
    best_kw = np.empty((kept, width), np.float32)
    seen_by_w = np.empty(width, np.float32)
    for y in range(height):
        best_kw[:] = NEUTRAL_COST
        seen_by_w[:] = np.float32(0)
        for view in range(views):
            other_hw, columns_3w = others_nhw[view], columns_n3w[view]
            if y == 0:
                for dy in range(-radius, size_px - radius):
                    row = _mirrored(dy, height)
                    _enter(image_hw[row], other_hw[row], level, columns_3w)
            else:
                out = _mirrored(y - 1 - radius, height)
                row = _mirrored(y - 1 - radius + size_px, height)
                _leave(image_hw[out], other_hw[out], level, columns_3w)
                _enter(image_hw[row], other_hw[row], level, columns_3w)
            for term in range(3):
                _sum_windows(columns_3w[term], size_px, padded_w, windows_3w[term])
            seen_w = seen_nhw[view, y]
            _cost_row(windows_3w, mean_hw[y], deviation_hw[y], seen_w, size_px, cost_w)
            for x in range(width):
                seen_by_w[x] += np.float32(1) if seen_w[x] else np.float32(0)
            for rank in range(kept):
                _sort_in(best_kw[rank], cost_w)
        _mean_of_better_half(best_kw, seen_by_w, cost_w, out_hw[y])


@compiled
def _mirrored(index: int, size: int) -> int:
    """An index beyond the border, mirrored back; the border itself comes twice."""
    index = index % (2 * size)
    return index if index < size else 2 * size - 1 - index


@compiled
def _enter(image_w: Row, other_w: Row, level: np.float32, columns_3w: FloatMap) -> None:
    """Add a row to the columns' sums of the other image, its squares and its products."""
    sum_w, square_w, product_w = columns_3w[0], columns_3w[1], columns_3w[2]
    for x in range(len(sum_w)):
        value = other_w[x] - level
        sum_w[x] += value
        square_w[x] += value * value
        product_w[x] += value * image_w[x]


@compiled
def _leave(image_w: Row, other_w: Row, level: np.float32, columns_3w: FloatMap) -> None:
    """Take a row off again."""
    sum_w, square_w, product_w = columns_3w[0], columns_3w[1], columns_3w[2]
    for x in range(len(sum_w)):
        value = other_w[x] - level
        sum_w[x] -= value
        square_w[x] -= value * value
        product_w[x] -= value * image_w[x]


@compiled
def _sum_windows(columns_w: Row, size_px: int, padded_w: Row, sums_w: Row) -> None:
    """Sums over windows along a row whose border is mirrored; `padded_w` is scratch space."""
    width = len(sums_w)
    radius = size_px // 2
    for x in range(radius):
        padded_w[x] = columns_w[_mirrored(x - radius, width)]
    for x in range(width):
        padded_w[radius + x] = columns_w[x]
    for x in range(size_px - radius):
        padded_w[radius + width + x] = columns_w[_mirrored(width + x, width)]
    p = padded_w
    # The sizes of default are written out: their sums stay in registers.
    if size_px == 7:
        for x in range(width):
            first, last = p[x] + p[x + 1] + p[x + 2], p[x + 4] + p[x + 5] + p[x + 6]
            sums_w[x] = first + p[x + 3] + last
    elif size_px == 5:
        for x in range(width):
            sums_w[x] = p[x] + p[x + 1] + p[x + 2] + p[x + 3] + p[x + 4]
    else:
        sums_w[:] = np.float32(0)
        for shift in range(size_px):
            shifted_w = padded_w[shift : shift + width]
            for x in range(width):
                sums_w[x] += shifted_w[x]


@compiled
def _cost_row(  # noqa: PLR0917
    windows_3w: FloatMap,
    mean_w: Row,
    deviation_w: Row,
    seen_w: NDArray[np.bool_],
    size_px: int,
    cost_w: Row,
) -> None:
    """1 − correlation of one view, neutral where the pixel is not seen."""
    share = np.float32(1.0 / (size_px * size_px))
    sum_w, square_w, product_w = windows_3w[0], windows_3w[1], windows_3w[2]
    for x in range(len(cost_w)):
        mean = sum_w[x] * share
        variance = square_w[x] * share - mean * mean
        variance = (variance if variance > 0 else np.float32(0)) + NOISE_VARIANCE
        covariance = product_w[x] * share - mean_w[x] * mean
        cost = np.float32(1) - covariance / (np.sqrt(variance) * deviation_w[x])
        cost = cost if cost > 0 else np.float32(0)
        cost_w[x] = cost if (cost < NEUTRAL_COST) & seen_w[x] else NEUTRAL_COST


@compiled
def _sort_in(best_w: Row, cost_w: Row) -> None:
    """Keep the smaller of two costs; the larger ones go on to the next rank."""
    for x in range(len(best_w)):
        best, cost = best_w[x], cost_w[x]
        best_w[x] = best if best < cost else cost
        cost_w[x] = cost if best < cost else best


@compiled
def _mean_of_better_half(
    best_kw: FloatMap, seen_by_w: Row, total_w: Row, out_w: NDArray[np.uint8]
) -> None:
    """Mean of the smaller half of the valid costs; `total_w` is scratch space."""
    total_w[:] = PRIOR_VIEWS * NEUTRAL_COST
    for rank in range(len(best_kw)):
        best_w = best_kw[rank]
        # The smaller half of so many views has this rank in it.
        views = np.float32(2 * rank)
        for x in range(len(total_w)):
            total_w[x] += best_w[x] if seen_by_w[x] > views else np.float32(0)
    for x in range(len(total_w)):
        half = np.ceil(seen_by_w[x] * np.float32(0.5))
        out_w[x] = np.uint8(total_w[x] / (half + PRIOR_VIEWS) * LARGEST_COST)
