"""Choice of the views that a view's depth is measured with."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mvrecon.artifacts.poses import PosedFrame, SparsePoints
from mvrecon.geometry.triangulation import triangulation_angle_rad

# Triangulation angle of the best compromise: wide enough to measure, narrow enough to match; and
# how fast a view is worth less on either side.
BEST_ANGLE_RAD = np.deg2rad(8.0)
NARROW_SIGMA_RAD = np.deg2rad(4.0)
WIDE_SIGMA_RAD = np.deg2rad(10.0)
# A point that only projects into a view may be hidden from it.
UNOBSERVED_WEIGHT = 0.3
# Points of a frame that are looked at, for time.
MAX_POINTS = 1000
# In a sequence, frames this near may be neighbours though no point tells so.
TIME_WINDOW = 6
# Views from the same place see the same occlusions: the second one is worth less.
REPEATED_PLACE_WEIGHT = 0.6
# Views that share little with the frame, or see it from too far aside, do more harm than good.
MIN_RELATIVE_SCORE = 0.1


def choose_neighbors(
    frames: Sequence[PosedFrame],
    points: SparsePoints,
    frame: int,
    count: int,
    in_order: bool,
) -> list[int]:
    """Views to match a frame with, best first.

    A view scores by the points that it shares with the frame, each weighted by its
    triangulation angle (after MVSNet, Yao 2018); views are then taken greedily, those
    near a chosen one counting less, so that they lie on several sides.

    Args:
        frames: all posed frames.
        points: sparse points; the indices of their frames are rows of `frames`.
        frame: row of the frame whose neighbours are wanted.
        count: largest number of neighbours.
        in_order: whether frames next to each other in the list overlap (a sequence).

    Returns:
        Rows of `frames`, at most `count`; empty if nothing overlaps.
    """
    candidates = _candidates(points, frame, len(frames), in_order)
    if not candidates:
        return []
    scores = _overlap_scores(frames, points, frame, candidates)
    if in_order and not np.any(scores):
        scores = np.array([1.0 / abs(other - frame) for other in candidates])
    centers_n3 = np.array([frames[other].world_from_cam[:3, 3] for other in candidates])
    baselines = np.linalg.norm(centers_n3 - frames[frame].world_from_cam[:3, 3], axis=1)
    useful = (baselines > 0) & (scores >= MIN_RELATIVE_SCORE * scores.max())
    scores = np.where(useful, scores, 0.0)
    chosen: list[int] = []
    while len(chosen) < count and np.any(scores > 0):
        best = int(np.argmax(scores))
        chosen.append(candidates[best])
        distances = np.linalg.norm(centers_n3 - centers_n3[best], axis=1)
        nearness = np.exp(-((distances / (0.7 * baselines[best])) ** 2))
        scores = scores * (1.0 - REPEATED_PLACE_WEIGHT * nearness)
        scores[best] = 0.0
    return chosen


def _candidates(points: SparsePoints, frame: int, frames: int, in_order: bool) -> list[int]:
    seen = np.zeros(len(points.xyz_n3), dtype=bool)
    seen[points.seen_by(frame)] = True
    covisible = set(points.observation_frame_m[seen[points.observation_point_m]].tolist())
    if in_order:
        covisible |= set(range(max(frame - TIME_WINDOW, 0), min(frame + TIME_WINDOW + 1, frames)))
    return sorted(covisible - {frame})


def _overlap_scores(
    frames: Sequence[PosedFrame], points: SparsePoints, frame: int, candidates: list[int]
) -> NDArray[np.float64]:
    """Sum over the frame's points of the weight of their triangulation angle."""
    seen = np.unique(points.seen_by(frame))
    seen = seen[:: max(1, -(-len(seen) // MAX_POINTS))]
    xyz_n3 = points.xyz_n3[seen]
    own_centre_3 = frames[frame].world_from_cam[:3, 3]
    scores = np.zeros(len(candidates))
    for row, candidate in enumerate(candidates):
        other = frames[candidate]
        cam_n3 = xyz_n3 @ other.cam_from_world[:3, :3].T + other.cam_from_world[:3, 3]
        observed = np.isin(seen, points.seen_by(candidate))
        weights = np.where(observed, 1.0, UNOBSERVED_WEIGHT) * _inside(cam_n3, other)
        centre_3 = other.world_from_cam[:3, 3]
        angles_rad = triangulation_angle_rad(own_centre_3, centre_3, xyz_n3)
        sigmas_rad = np.where(angles_rad < BEST_ANGLE_RAD, NARROW_SIGMA_RAD, WIDE_SIGMA_RAD)
        scores[row] = np.sum(
            weights * np.exp(-0.5 * ((angles_rad - BEST_ANGLE_RAD) / sigmas_rad) ** 2)
        )
    return scores


def _inside(cam_n3: NDArray[np.float64], frame: PosedFrame) -> NDArray[np.bool_]:
    depths = np.where(cam_n3[:, 2] > 0, cam_n3[:, 2], np.inf)
    x = frame.camera.fx * cam_n3[:, 0] / depths + frame.camera.cx
    y = frame.camera.fy * cam_n3[:, 1] / depths + frame.camera.cy
    in_image = (x >= 0) & (x < frame.camera.width) & (y >= 0) & (y < frame.camera.height)
    return np.asarray((cam_n3[:, 2] > 0) & in_image)
