"""Photo-consistency of depth hypotheses over several views."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from mvrecon.geometry.transfer import FloatMap, PixelTransfer
from stages.depth.views import View

# Variance of the noise (grey levels²) below which a window counts as having no texture.
NOISE_VARIANCE = 8.0
# Cost of a hypothesis that no view can speak for: that of uncorrelated windows.
NEUTRAL_COST = 1.0
# Weight, in views, of the neutral cost: one lucky view shall not win over several.
PRIOR_VIEWS = 0.5


class ZnccWindow:
    """Zero-mean normalised cross-correlation of square windows with one fixed image.

    Args:
        gray_hw: the fixed image, float32, 0…255.
        size_px: side of the window.
    """

    def __init__(self, gray_hw: FloatMap, size_px: int) -> None:
        self._size = (size_px, size_px)
        # Centring keeps the variances from cancelling in float32.
        self._offset = float(gray_hw.mean())
        self._image = gray_hw - np.float32(self._offset)
        self._mean = self._blur(self._image)
        self.variance_hw = np.maximum(self._blur(self._image * self._image) - self._mean**2, 0.0)

    def _blur(self, image_hw: FloatMap) -> FloatMap:
        blurred_hw = cv2.boxFilter(image_hw, cv2.CV_32F, self._size, borderType=cv2.BORDER_REFLECT)
        return np.asarray(blurred_hw, np.float32)

    def cost(self, other_hw: FloatMap) -> FloatMap:
        """1 − correlation, clipped to 0…1 (1 = uncorrelated or without texture)."""
        other_hw = other_hw - np.float32(self._offset)
        mean_hw = self._blur(other_hw)
        variance_hw = self._blur(other_hw * other_hw)
        variance_hw -= mean_hw * mean_hw
        np.maximum(variance_hw, 0.0, out=variance_hw)
        covariance_hw = self._blur(self._image * other_hw)
        covariance_hw -= self._mean * mean_hw
        variance_hw += NOISE_VARIANCE
        variance_hw *= self.variance_hw + np.float32(NOISE_VARIANCE)
        np.sqrt(variance_hw, out=variance_hw)
        covariance_hw /= variance_hw
        np.subtract(1.0, covariance_hw, out=covariance_hw)
        return np.asarray(np.clip(covariance_hw, 0.0, NEUTRAL_COST, out=covariance_hw))


def texture_variance(gray_hw: FloatMap, size_px: int) -> FloatMap:
    """Variance (grey levels²) in the window round each pixel."""
    return np.asarray(ZnccWindow(gray_hw, size_px).variance_hw)


class BestViews:
    """Mean of the smaller half of the costs over views, fed one view at a time.

    Taking the best part of the views is robust to occlusion in the others (Kang 2001).
    """

    def __init__(self, views: int, shape_hw: tuple[int, int]) -> None:
        self._best = [np.full(shape_hw, NEUTRAL_COST, np.float32) for _ in range((views + 1) // 2)]
        self._swap = np.empty(shape_hw, np.float32)
        self._valid_hw = np.zeros(shape_hw, np.float32)

    def add(self, cost_hw: FloatMap, valid_hw: NDArray[np.bool_]) -> None:
        """Take one more view's cost; the array is used as scratch space."""
        cost_hw[~valid_hw] = NEUTRAL_COST
        self._valid_hw += valid_hw
        for best_hw in self._best:
            np.maximum(best_hw, cost_hw, out=self._swap)
            np.minimum(best_hw, cost_hw, out=best_hw)
            cost_hw, self._swap = self._swap, cost_hw

    def mean(self) -> FloatMap:
        """Mean of the smaller half of the valid costs, drawn to neutral where they are few."""
        keep_hw = np.ceil(self._valid_hw * np.float32(0.5))
        total_hw = np.full_like(keep_hw, PRIOR_VIEWS * NEUTRAL_COST)
        for rank, best_hw in enumerate(self._best):
            total_hw += np.where(keep_hw > rank, best_hw, 0)
        total_hw /= keep_hw + np.float32(PRIOR_VIEWS)
        return np.asarray(total_hw)


def sweep_costs(
    view: View,
    neighbors: Sequence[View],
    transfers: Sequence[PixelTransfer],
    inverse_depths: NDArray[np.float64],
    window_px: int,
) -> NDArray[np.uint8]:
    """Matching cost of fronto-parallel planes (plane sweep, Collins 1996).

    Args:
        view: the view whose depth is wanted.
        neighbors: the views it is matched with.
        transfers: from the view to each of them.
        inverse_depths: one plane each.
        window_px: side of the matching window.

    Returns:
        (height, hypotheses, width), 0…127: 127 × (1 − mean correlation of the best views).
    """
    height, width = view.gray_hw.shape
    window = ZnccWindow(view.gray_hw, window_px)
    volume = np.empty((height, len(inverse_depths), width), np.uint8)
    for row, inverse_depth in enumerate(inverse_depths):
        best = BestViews(len(neighbors), (height, width))
        for neighbor, transfer in zip(neighbors, transfers, strict=True):
            homography_33 = transfer.plane_homography(float(inverse_depth))
            best.add(*_plane_cost(window, neighbor.gray_hw, homography_33, (width, height)))
        volume[:, row] = best.mean() * np.float32(127)
    return volume


def _plane_cost(
    window: ZnccWindow,
    other_hw: FloatMap,
    homography_33: NDArray[np.float64],
    size_wh: tuple[int, int],
) -> tuple[FloatMap, NDArray[np.bool_]]:
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    warped_hw = cv2.warpPerspective(
        other_hw, homography_33, size_wh, flags=flags, borderMode=cv2.BORDER_REPLICATE
    )
    return window.cost(np.asarray(warped_hw, np.float32)), _inside(
        homography_33, size_wh, other_hw.shape
    )


def _inside(
    homography_33: NDArray[np.float64], size_wh: tuple[int, int], other_shape: tuple[int, ...]
) -> NDArray[np.bool_]:
    """Which pixels a homography takes into the other image, in front of its camera."""
    x_1w = np.arange(size_wh[0], dtype=np.float32)[None]
    y_h1 = np.arange(size_wh[1], dtype=np.float32)[:, None]
    u, v, w = (
        np.float32(row[0]) * x_1w + (np.float32(row[1]) * y_h1 + np.float32(row[2]))
        for row in homography_33
    )
    other_height, other_width = other_shape[:2]
    inside_hw = (w > 0) & (u >= 0) & (v >= 0)
    inside_hw &= u <= (other_width - 1) * w
    inside_hw &= v <= (other_height - 1) * w
    return np.asarray(inside_hw)


def surface_costs(
    view: View,
    neighbors: Sequence[View],
    transfers: Sequence[PixelTransfer],
    *,
    surface_hw: FloatMap,
    offsets: NDArray[np.float64],
    window_px: int,
) -> NDArray[np.uint8]:
    """Matching cost of surfaces parallel (in inverse depth) to a given one.

    As the windows lie on the surface, slanted ones match as well as fronto-parallel ones.

    Args:
        view: the view whose depth is wanted.
        neighbors: the views it is matched with.
        transfers: from the view to each of them.
        surface_hw: inverse depth.
        offsets: added to the inverse depth, one hypothesis each.
        window_px: side of the matching window.

    Returns:
        (height, offsets, width), 0…127 as in `sweep_costs`.
    """
    height, width = view.gray_hw.shape
    window = ZnccWindow(view.gray_hw, window_px)
    volume = np.empty((height, len(offsets), width), np.uint8)
    for row, offset in enumerate(offsets):
        hypothesis_hw = surface_hw + np.float32(offset)
        best = BestViews(len(neighbors), (height, width))
        for neighbor, transfer in zip(neighbors, transfers, strict=True):
            best.add(*_surface_cost(window, neighbor.gray_hw, transfer, hypothesis_hw))
        volume[:, row] = best.mean() * np.float32(127)
    return volume


def _surface_cost(
    window: ZnccWindow,
    other_hw: FloatMap,
    transfer: PixelTransfer,
    inverse_depth_hw: FloatMap,
) -> tuple[FloatMap, NDArray[np.bool_]]:
    x_hw, y_hw, w_hw = transfer.project(inverse_depth_hw)
    in_front_hw = w_hw > 0
    np.maximum(w_hw, 1e-6, out=w_hw)
    x_hw /= w_hw
    y_hw /= w_hw
    warped_hw = cv2.remap(other_hw, x_hw, y_hw, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    height, width = other_hw.shape
    in_front_hw &= (x_hw >= 0) & (x_hw <= width - 1) & (y_hw >= 0) & (y_hw <= height - 1)
    return window.cost(np.asarray(warped_hw, np.float32)), in_front_hw
