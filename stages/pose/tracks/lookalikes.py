"""Points that look like others near by: repeated patterns, along which flow may jump."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from stages.pose.tracks.patch_alignment import PATCH_RADIUS_PX, normalized_patches

FloatArray = NDArray[np.float32]

# Part of the longer image side: flow does not jump farther.
REACH = 0.2
# Where more than this part of the points have look-alikes among the others, the rest are
# compared with every pixel near by; which takes time.
PATTERNED = 0.35
# Bound of that search on each side, for its time.
MAX_SEARCH_PX = 80
# With fewer unmistakable points in a frame, nothing is known of its motion.
MIN_SURE = 4
# So many next to a point tell its motion: few, as parallax differs, but enough for a median.
NEAREST_SURE = 5
# A point that is off by half the distance of its look-alike has been taken for it.
JUMP = 0.5


def distance_to_look_alike(
    gray_hw: NDArray[np.uint8], xy_n2: FloatArray, others_xy_m2: FloatArray, look_alike: float
) -> FloatArray:
    """Distance (n,) [px] from each point to the nearest that looks like it, infinite without one.

    Args:
        gray_hw: their image.
        xy_n2: points.
        others_xy_m2: points that they may be taken for, if their patches are others.
        look_alike: correlation of two patches that may be taken for one another.
    """
    if not (len(xy_n2) and len(others_xy_m2)):
        return np.full(len(xy_n2), np.inf, np.float32)
    likeness_nm = normalized_patches(gray_hw, xy_n2) @ normalized_patches(gray_hw, others_xy_m2).T
    distance_nm = np.linalg.norm(xy_n2[:, None] - others_xy_m2[None], axis=2)
    is_alike_nm = (likeness_nm > look_alike) & (distance_nm > PATCH_RADIUS_PX)
    is_alike_nm &= distance_nm < REACH * max(gray_hw.shape)
    nearest_n = np.where(is_alike_nm, distance_nm, np.inf).min(axis=1).astype(np.float32)
    unmatched = np.flatnonzero(np.isinf(nearest_n))
    if len(unmatched) < (1.0 - PATTERNED) * len(xy_n2):
        nearest_n[unmatched] = [_search(gray_hw, xy_2, look_alike) for xy_2 in xy_n2[unmatched]]
    return np.asarray(nearest_n, np.float32)


def _search(gray_hw: NDArray[np.uint8], xy_2: FloatArray, look_alike: float) -> float:
    """Distance from a point to the nearest pixel that looks like it, infinite without one."""
    reach = round(min(REACH * max(gray_hw.shape), MAX_SEARCH_PX)) + PATCH_RADIUS_PX
    x, y = (int(value) for value in np.round(xy_2))
    height, width = gray_hw.shape
    left, top = max(x - reach, 0), max(y - reach, 0)
    radius = PATCH_RADIUS_PX
    x, y = (int(np.clip(v, radius, size - 1 - radius)) for v, size in ((x, width), (y, height)))
    patch_hw = gray_hw[y - radius : y + radius + 1, x - radius : x + radius + 1]
    window_hw = gray_hw[top : y + reach + 1, left : x + reach + 1]
    likeness_hw = cv2.matchTemplate(window_hw, patch_hw, cv2.TM_CCOEFF_NORMED)
    alike_yx_k2 = np.argwhere(np.asarray(likeness_hw) > look_alike) + radius + [top - y, left - x]
    distance_k = np.linalg.norm(alike_yx_k2, axis=1)
    return float(np.min(distance_k[distance_k > radius], initial=np.inf))


def expected_motion(xy_n2: FloatArray, sure_xy_m2: FloatArray, motion_m2: FloatArray) -> FloatArray:
    """Motion (n, 2) of points as that of the unmistakable ones next to them: their median."""
    distance_nm = np.linalg.norm(xy_n2[:, None] - sure_xy_m2[None], axis=2)
    nearest_nk = np.argsort(distance_nm, axis=1, kind="stable")[:, :NEAREST_SURE]
    return np.asarray(np.median(motion_m2[nearest_nk], axis=1), np.float32)


def has_jumped(
    motion_n2: FloatArray, expected_n2: FloatArray, look_alike_px_n: FloatArray
) -> NDArray[np.bool_]:
    """Which points moved so far from what is expected that they are taken for look-alikes."""
    off_px_n = np.linalg.norm(motion_n2 - expected_n2, axis=1)
    return np.asarray(off_px_n > JUMP * look_alike_px_n)
