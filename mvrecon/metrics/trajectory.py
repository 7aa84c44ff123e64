"""Errors of camera poses against ground truth. Lower is better throughout."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mvrecon.geometry.alignment import Similarity, align_similarity
from mvrecon.geometry.rigid import inverse_rigid

FloatArray = NDArray[np.float64]

MIN_POSES = 3


@dataclass(frozen=True)
class TrajectoryErrors:
    """Absolute and relative pose errors over n frames.

    Attributes:
        poses: number of frames compared.
        path_length: of the ground truth through the compared frames in order, world units.
        ate_rmse: root of the mean over frames of the squared distance of the camera centres
            after Sim(3) alignment, world units (Sturm et al., IROS 2012).
        ate_median: median over frames of the same distances.
        ate_percent_of_path: 100 · ate_rmse / path_length.
        rotation_mean_deg: mean over frames of the angle between the orientations, after
            the same alignment.
        rotation_median_deg: median of the same.
        rpe_translation_rmse: root of the mean over neighbours in the order of the squared
            length of the error of the relative motion, after scaling, world units.
        rpe_rotation_mean_deg: mean over neighbours of its angle.
    """

    poses: int
    path_length: float
    ate_rmse: float
    ate_median: float
    ate_percent_of_path: float
    rotation_mean_deg: float
    rotation_median_deg: float
    rpe_translation_rmse: float
    rpe_rotation_mean_deg: float


def align_trajectories(estimate_n44: FloatArray, truth_n44: FloatArray) -> Similarity:
    """Sim(3) that takes the estimated world to the true one by the camera centres.

    Args:
        estimate_n44: world_from_cam of n frames.
        truth_n44: the same frames in the true world.

    Raises:
        ValueError: fewer than three frames, or the estimated centres coincide.
    """
    if len(estimate_n44) < MIN_POSES:
        raise ValueError(f"alignment needs {MIN_POSES} poses, got {len(estimate_n44)}")
    return align_similarity(estimate_n44[:, :3, 3], truth_n44[:, :3, 3])


def trajectory_errors(
    estimate_n44: FloatArray, truth_n44: FloatArray, world_from_estimate: Similarity
) -> TrajectoryErrors:
    """Compare poses of the same frames.

    Args:
        estimate_n44: world_from_cam of n frames, in order of time.
        truth_n44: the same in the true world.
        world_from_estimate: as `align_trajectories` gives.
    """
    aligned_n44 = np.stack([world_from_estimate.apply_to_pose(pose) for pose in estimate_n44])
    distance_n = np.linalg.norm(aligned_n44[:, :3, 3] - truth_n44[:, :3, 3], axis=1)
    angle_n = rotation_angles_deg(inverse_rigid(truth_n44) @ aligned_n44)
    true_steps = inverse_rigid(truth_n44[:-1]) @ truth_n44[1:]
    steps = inverse_rigid(aligned_n44[:-1]) @ aligned_n44[1:]
    step_errors = inverse_rigid(true_steps) @ steps
    path_length = float(np.linalg.norm(np.diff(truth_n44[:, :3, 3], axis=0), axis=1).sum())
    ate_rmse = float(np.sqrt((distance_n**2).mean()))
    return TrajectoryErrors(
        poses=len(estimate_n44),
        path_length=path_length,
        ate_rmse=ate_rmse,
        ate_median=float(np.median(distance_n)),
        ate_percent_of_path=100 * ate_rmse / path_length if path_length > 0 else float("nan"),
        rotation_mean_deg=float(angle_n.mean()),
        rotation_median_deg=float(np.median(angle_n)),
        rpe_translation_rmse=float(np.sqrt((step_errors[:, :3, 3] ** 2).sum(1).mean())),
        rpe_rotation_mean_deg=float(rotation_angles_deg(step_errors).mean()),
    )


def rotation_angles_deg(transforms_n44: FloatArray) -> FloatArray:
    """Angle (n,) of the rotation of each transform, degrees; exact near 0 too."""
    difference_n3 = (
        transforms_n44[:, [2, 0, 1], [1, 2, 0]] - transforms_n44[:, [1, 2, 0], [2, 0, 1]]
    )
    twice_sine_n = np.linalg.norm(difference_n3, axis=1)
    twice_cosine_n = np.trace(transforms_n44[:, :3, :3], axis1=1, axis2=2) - 1
    return np.asarray(np.degrees(np.arctan2(twice_sine_n, twice_cosine_n)))
