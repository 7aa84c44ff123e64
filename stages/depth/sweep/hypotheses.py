"""Range of depth of a view, and the inverse depths that a sweep tries."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mvrecon.artifacts.poses import PosedFrame, SparsePoints
from mvrecon.geometry.transfer import PixelTransfer

# Fewer points do not tell the range: its percentiles would be single points.
MIN_POINTS = 8
# Of inverse depth: beyond them are false points.
ROBUST_PERCENTILES = (2.0, 98.0)
# Surfaces reach beyond the points: floors come nearer, backgrounds lie farther.
NEAR_MARGIN = 1.35
FAR_MARGIN = 1.7
# Planes of a sweep over a range that hardly moves a pixel: still enough for a minimum.
MIN_HYPOTHESES = 24


def depths_of_points(
    frames: Sequence[PosedFrame], points: SparsePoints, frame: int, neighbors: Sequence[int]
) -> NDArray[np.float64]:
    """Depths in a frame of the points that it or its neighbours see and that project into it."""
    seen = np.unique(np.concatenate([points.seen_by(row) for row in (frame, *neighbors)]))
    posed = frames[frame]
    xyz_n3 = points.xyz_n3[seen] @ posed.cam_from_world[:3, :3].T + posed.cam_from_world[:3, 3]
    xyz_n3 = xyz_n3[xyz_n3[:, 2] > 0]
    pixels_n2 = posed.camera.project(xyz_n3)
    inside = np.all(
        (pixels_n2 >= 0) & (pixels_n2 < [posed.camera.width, posed.camera.height]), axis=1
    )
    return np.asarray(xyz_n3[inside, 2])


def inverse_depth_range(depths_n: NDArray[np.float64]) -> tuple[float, float] | None:
    """Smallest and largest inverse depth to search, from the depths of sparse points.

    Returns:
        (far, near) as inverse depths; None if there are too few points to tell.
    """
    if len(depths_n) < MIN_POINTS:
        return None
    far, near = np.percentile(1.0 / depths_n, ROBUST_PERCENTILES)
    return float(far / FAR_MARGIN), float(near * NEAR_MARGIN)


def searched_range(
    frames: Sequence[PosedFrame], points: SparsePoints, frame: int, neighbors: Sequence[int]
) -> tuple[float, float] | None:
    """The same of a frame, from the points of all frames if those near see too few."""
    near = depths_of_points(frames, points, frame, neighbors)
    everyone = range(len(frames))
    return inverse_depth_range(near) or inverse_depth_range(
        depths_of_points(frames, points, frame, everyone)
    )


def sweep_inverse_depths(
    bounds: tuple[float, float],
    transfers: Sequence[PixelTransfer],
    width: int,
    height: int,
    max_hypotheses: int,
) -> NDArray[np.float64]:
    """Inverse depths, evenly spaced, so that a step is about 1 px in the widest pair.

    Args:
        bounds: smallest and largest inverse depth.
        transfers: from the view to its neighbours, at the sweep's resolution.
        width: of the view at that resolution [px].
        height: of the view at that resolution [px].
        max_hypotheses: bound on their number.
    """
    x_n, y_n = np.meshgrid(np.linspace(0, width - 1, 5), np.linspace(0, height - 1, 5))
    pixels_n2 = np.column_stack([x_n.ravel(), y_n.ravel()])
    far, near = bounds
    disparity_px = max(transfer.disparity_px(pixels_n2, near, far) for transfer in transfers)
    count = int(np.clip(np.ceil(disparity_px) + 1, MIN_HYPOTHESES, max_hypotheses))
    return np.linspace(far, near, count)
