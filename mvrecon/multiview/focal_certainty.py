"""How sure the focal length is that posed frames and their sparse points share.

The covariance of bundle adjustment: with the lens, poses and points all free, how far may the
focal length go before the points miss their pixels by more than they do now? The principal
point is free too, within what real lenses have, although the poses took it for the middle.
Triggs et al., "Bundle Adjustment – A Modern Synthesis", 2000, section 9.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.linalg import splu

from mvrecon.artifacts.poses import PosedFrame, SparsePoints

POSE = 6
# Errors along a track are alike, and cameras are not quite the model's: the deviation by the
# formula is that much too small on sets whose focal length is known (docs/poses.md).
TOO_SURE = 9.0
# Points that many errors away are wrong matches.
OUTLIER = 3.0
CENTRE_SPREAD = 0.01  # of a lens's principal point about the middle, of the longer side
MAX_OBSERVATIONS = 200_000  # of more, every so manieth point tells the same
RIDGE = 1e-9  # of the diagonal: where the world stands and how large it is binds nothing


def focal_deviation(frames: Sequence[PosedFrame], points: SparsePoints) -> float | None:
    """Standard deviation of the focal length, as a part of it; None if nothing tells.

    Args:
        frames: posed; those of the first one's camera count.
        points: that they see, in the pixels of their undistorted images.
    """
    point_m, frame_m, xy_m2 = _sample(frames, points)
    camera = frames[0].camera
    cam_from_world_n44 = np.stack([frame.cam_from_world for frame in frames])
    rotation_m33 = cam_from_world_n44[frame_m, :3, :3]
    turned_m3 = np.einsum("mij,mj->mi", rotation_m33, points.xyz_n3[point_m])
    cam_m3 = turned_m3 + cam_from_world_n44[frame_m, :3, 3]
    depth_m = cam_m3[:, 2]
    seen_m2 = cam_m3[:, :2] / np.where(depth_m > 0, depth_m, np.inf)[:, None]
    centre_2 = np.array([camera.cx, camera.cy])
    error_m2 = camera.fx * seen_m2 + centre_2 - xy_m2
    squared_m = np.sum(error_m2**2, axis=1)
    usual = float(np.median(squared_m)) if len(squared_m) else 0.0
    good_m = (depth_m > 0) & (squared_m <= OUTLIER**2 * max(usual, 1e-12))
    if good_m.sum() < 2 * POSE * len(frames):
        return None
    by_cam_m23 = _by_position(cam_m3[good_m], camera.fx)
    variance_px2 = float(squared_m[good_m].mean()) / 2.0
    centre_px = CENTRE_SPREAD * max(camera.width, camera.height)
    prior_5 = np.array([0.0, 0.0, 0.0, *[variance_px2 / centre_px**2] * 2])
    covariance = _common_covariance(
        by_frame_m26=np.concatenate([_by_turn(by_cam_m23, turned_m3[good_m]), by_cam_m23], axis=2),
        by_common_m2g=_by_lens(seen_m2[good_m], camera.fx),
        prior_g=prior_5,
        by_point_m23=by_cam_m23 @ rotation_m33[good_m],
        frame_m=frame_m[good_m],
        point_m=np.unique(point_m[good_m], return_inverse=True)[1],
    )
    if covariance is None:
        return None
    return TOO_SURE * float(np.sqrt(variance_px2 * covariance[0, 0]))


def _sample(
    frames: Sequence[PosedFrame], points: SparsePoints
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Observations (m,), (m,), (m, 2) of the first frame's camera, thinned point by point."""
    first = frames[0].camera
    alike_n = np.array([frame.camera == first for frame in frames])
    point_m = points.observation_point_m.astype(np.int64)
    frame_m = points.observation_frame_m.astype(np.int64)
    step = -(-len(point_m) // MAX_OBSERVATIONS)
    chosen_m = alike_n[frame_m] & (point_m % max(step, 1) == 0)
    counts = np.bincount(point_m[chosen_m], minlength=len(points.xyz_n3))
    chosen_m &= counts[point_m] >= 2
    return point_m[chosen_m], frame_m[chosen_m], points.observation_xy_m2[chosen_m].astype(float)


def _by_position(cam_m3: NDArray[np.float64], focal_px: float) -> NDArray[np.float64]:
    """Derivatives (m, 2, 3) of the pixel by the point in the camera's axes."""
    x, y, z = cam_m3.T
    zero = np.zeros_like(x)
    return focal_px * np.stack(
        [np.stack([1 / z, zero, -x / z**2], 1), np.stack([zero, 1 / z, -y / z**2], 1)], 1
    )


def _by_turn(
    by_cam_m23: NDArray[np.float64], turned_m3: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Derivatives (m, 2, 3) by a small turn of the camera: that of the point is the turn × it."""
    return np.cross(turned_m3[:, None], by_cam_m23)


def _by_lens(seen_m2: NDArray[np.float64], focal_px: float) -> NDArray[np.float64]:
    """Derivatives (m, 2, 5) by log focal length, distortion k1 and k2, and principal point."""
    radius2_m1 = np.sum(seen_m2**2, axis=1, keepdims=True)
    radial = focal_px * np.stack([seen_m2 * radius2_m1**power for power in range(3)], axis=2)
    centre = np.broadcast_to(np.eye(2), (len(seen_m2), 2, 2))
    return np.concatenate([radial, centre], axis=2)


def _common_covariance(
    *,
    by_frame_m26: NDArray[np.float64],
    by_common_m2g: NDArray[np.float64],
    prior_g: NDArray[np.float64],
    by_point_m23: NDArray[np.float64],
    frame_m: NDArray[np.int64],
    point_m: NDArray[np.int64],
) -> NDArray[np.float64] | None:
    """Covariance (g, g) of what the frames share, for observations with a deviation of 1 px."""
    points = int(point_m.max()) + 1
    point_p33 = np.zeros((points, 3, 3))
    np.add.at(point_p33, point_m, np.swapaxes(by_point_m23, 1, 2) @ by_point_m23)
    ridge_p = RIDGE * np.trace(point_p33, axis1=1, axis2=2) + 1e-30
    try:
        white_p33 = np.linalg.cholesky(
            np.linalg.inv(point_p33 + ridge_p[:, None, None] * np.eye(3))
        )
    except np.linalg.LinAlgError:
        return None
    white_m23 = by_point_m23 @ white_p33[point_m]
    rows = np.arange(2 * len(frame_m))
    point_part = _sparse(white_m23, rows, point_m, points)
    frame_part = _sparse(by_frame_m26, rows, frame_m, int(frame_m.max()) + 1)
    common = by_common_m2g.reshape(len(rows), -1)
    coupling = frame_part.T @ point_part
    common_through = point_part.T @ common
    frames_ff = frame_part.T @ frame_part - coupling @ coupling.T
    ridge = RIDGE * float(frames_ff.diagonal().max()) * sparse.eye(frames_ff.shape[0])
    border = frame_part.T @ common - coupling @ common_through
    try:
        solved = splu((frames_ff + ridge).tocsc()).solve(border)
        information = (
            np.diag(prior_g)
            + common.T @ common
            - common_through.T @ common_through
            - border.T @ solved
        )
        return np.linalg.inv(information) if np.all(np.linalg.eigvalsh(information) > 0) else None
    except (np.linalg.LinAlgError, RuntimeError):  # SuperLU raises the latter
        return None


def _sparse(
    blocks_m2k: NDArray[np.float64],
    rows: NDArray[np.int64],
    group_m: NDArray[np.int64],
    groups: int,
) -> sparse.csr_matrix:
    """Blocks (m, 2, k) of observations, at the columns of what they belong to."""
    width = blocks_m2k.shape[2]
    columns_mk = group_m[:, None] * width + np.arange(width)
    columns = np.repeat(columns_mk, 2, axis=0)
    return sparse.csr_matrix(
        (blocks_m2k.ravel(), (np.repeat(rows, width), columns.ravel())),
        (len(rows), groups * width),
    )
