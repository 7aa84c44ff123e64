"""Where tracks start: well-textured corners spread over the image.

Some look like others near by, as in repeated patterns, along which flow may jump.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from stages.pose.tracks.patch_alignment import PATCH_RADIUS_PX, normalized_patches

# Window of the structure tensor.
CORNER_WINDOW_PX = 7
# Below this part of the strongest corners (the quantile of the cells' best) a point is noise;
# below the least eigenvalue, in OpenCV's units, so is a whole blank image.
MIN_RELATIVE_RESPONSE = 2e-3
STRONG_PERCENTILE = 95
MIN_RESPONSE = 1e-6
# Nearer to the border a patch would lie half outside.
BORDER_PX = 4
# Smaller cells than this would hold patches that are all alike.
MIN_CELL_PX = 4
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


@dataclass(frozen=True)
class Grid:
    """Square cells over an image, about `cells` of them."""

    width: int
    height: int
    cell_px: int

    @classmethod
    def of(cls, width: int, height: int, cells: int) -> Grid:
        """The grid whose cells are nearest in number to `cells`."""
        return cls(width, height, max(MIN_CELL_PX, round((width * height / cells) ** 0.5)))

    @property
    def columns(self) -> int:
        """Cells in a row."""
        return -(-self.width // self.cell_px)

    @property
    def rows(self) -> int:
        """Cells in a column."""
        return -(-self.height // self.cell_px)

    def cell_of(self, xy_n2: NDArray[np.float32]) -> NDArray[np.int64]:
        """Index (n,) of the cell of each pixel; the pixels must lie inside."""
        column_row_n2 = (np.floor(xy_n2 + 0.5) // self.cell_px).astype(np.int64)
        return np.asarray(column_row_n2[:, 1] * self.columns + column_row_n2[:, 0])


def corners_by_cell(
    gray_hw: NDArray[np.uint8], grid: Grid
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """The best corner of each cell that has one.

    J. Shi, C. Tomasi, "Good features to track", CVPR 1994: the smaller eigenvalue of the
    structure tensor.

    Returns:
        Pixels (n, 2) and the index (n,) of their cells.
    """
    response_hw = cv2.cornerMinEigenVal(gray_hw, CORNER_WINDOW_PX)
    inner_hw = np.zeros_like(response_hw)
    inner = (slice(BORDER_PX, -BORDER_PX),) * 2
    inner_hw[inner] = response_hw[inner]
    size = grid.cell_px
    padded_hw = np.zeros((grid.rows * size, grid.columns * size), np.float32)
    padded_hw[: grid.height, : grid.width] = inner_hw
    cells = padded_hw.reshape(grid.rows, size, grid.columns, size).transpose(0, 2, 1, 3)
    flat = cells.reshape(grid.rows * grid.columns, size * size)
    best_n = flat.argmax(axis=1)
    strength_n = flat[np.arange(len(flat)), best_n]
    floor = max(
        MIN_RESPONSE, MIN_RELATIVE_RESPONSE * float(np.percentile(strength_n, STRONG_PERCENTILE))
    )
    cell_n = np.flatnonzero(strength_n > floor)
    y_n = cell_n // grid.columns * size + best_n[cell_n] // size
    x_n = cell_n % grid.columns * size + best_n[cell_n] % size
    return np.stack([x_n, y_n], axis=1).astype(np.float32), cell_n


FloatArray = NDArray[np.float32]


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
