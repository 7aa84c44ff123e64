"""Whole moving things from the evidence of pixels."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from stages.pose.moving.flow_to_view import FloatMap
from stages.pose.options import MovingOptions

Mask = NDArray[np.bool_]

# Cores are regions of evidence averaged over this window.
CORE_WINDOW_PX = (5, 5)
# Thinner evidence comes from wrong flow at thin things and at borders.
THICKNESS_PX = 9
# Cores grow so far: about the reach of what a moving thing makes flow miss at its border.
GROWTH_PX = 10
# Gaps so narrow belong to the thing; half of it is also what a thing has to be wide.
CLOSING_PX = 7
# Around the thing: the mixed pixels at its border.
MARGIN_PX = 2


def segment(
    moving_hw: FloatMap, odd_hw: FloatMap, known_hw: FloatMap, options: MovingOptions
) -> Mask:
    """Whole things (h, w) that move, without specks.

    Cores of sure evidence grow a little way into what flow alone finds odd. Things move before
    something: where hardly anything of the rest is seen to be still, the poses are more likely
    to be wrong, and nothing is masked.

    Args:
        moving_hw: evidence of motion, 0…1.
        odd_hw: share of flow that no rigid point explains, 0…1.
        known_hw: confidence of all flow together, 0…1, of which `odd_hw` is a part.
        options: thresholds.
    """
    grown_hw = cores(moving_hw, options.core)
    fringe_hw = (odd_hw > options.fringe).astype(np.uint8) | grown_hw
    for _ in range(GROWTH_PX if grown_hw.any() else 0):
        grown_hw = np.asarray(cv2.dilate(grown_hw, np.ones((3, 3), np.uint8)), np.uint8) & fringe_hw
    closed_hw = cv2.morphologyEx(grown_hw, cv2.MORPH_CLOSE, _disk(CLOSING_PX))
    opened_hw = cv2.morphologyEx(closed_hw, cv2.MORPH_OPEN, _disk(CLOSING_PX // 2))
    large_hw = _large_regions(np.asarray(opened_hw, np.uint8), options.min_area)
    filled_hw = 1 - _large_regions(1 - large_hw, options.min_area)
    mask_hw = np.asarray(cv2.dilate(filled_hw, _disk(2 * MARGIN_PX + 1))) > 0
    still = float(np.mean((known_hw - odd_hw) * ~mask_hw))
    share = float(mask_hw.mean())
    is_believed = share <= options.max_area and still >= options.min_still * share
    return np.asarray(mask_hw if is_believed else np.zeros_like(mask_hw))


def cores(moving_hw: FloatMap, threshold: float) -> NDArray[np.uint8]:
    """Thick regions of evidence."""
    return _thick_regions((cv2.blur(moving_hw, CORE_WINDOW_PX) > threshold).astype(np.uint8))


def _large_regions(mask_hw: NDArray[np.uint8], min_area: float) -> NDArray[np.uint8]:
    """Connected regions of at least a part of the picture."""
    _, labels_hw, stats, _ = cv2.connectedComponentsWithStats(mask_hw, connectivity=4)
    is_large = stats[:, cv2.CC_STAT_AREA] >= min_area * mask_hw.size
    is_large[0] = False
    return np.asarray(is_large[labels_hw], np.uint8)


def _thick_regions(mask_hw: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Connected regions into which a square of `THICKNESS_PX` fits."""
    _, labels_hw = cv2.connectedComponents(mask_hw, connectivity=4)
    inner_hw = cv2.erode(mask_hw, np.ones((THICKNESS_PX, THICKNESS_PX), np.uint8))
    thick = np.unique(labels_hw[np.asarray(inner_hw) > 0])
    return np.isin(labels_hw, thick[thick > 0]).astype(np.uint8)


def _disk(diameter_px: int) -> NDArray[np.uint8]:
    return np.asarray(
        cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (diameter_px, diameter_px)), np.uint8
    )
