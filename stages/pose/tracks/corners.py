"""Where tracks start: well-textured corners spread over the image."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

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
