"""Errors of camera poses against ground truth. Lower is better throughout."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mvrecon.evaluation.metrics.metric import POSE_TOLERANCE, Metric
from mvrecon.geometry.rigid import inverse_rigid, rotation_angle_rad
from mvrecon.geometry.similarity import Similarity, align_similarity

FloatArray = NDArray[np.float64]

MIN_POSES = 3


@dataclass(frozen=True)
class TrajectoryErrors:
    """Absolute and relative pose errors over n frames.

    Attributes:
        poses: number of frames compared.
        path_length: of the ground truth through the compared frames in order, world units.
        ate_rmse: root of the mean over frames of the squared distance of the camera centres
            after `align_centres`, world units (Sturm et al., IROS 2012).
        ate_median: median over frames of the same distances.
        ate_percent_of_path: 100 · ate_rmse / path_length.
        rotation_mean_deg: mean over frames of the angle between the orientations, after
            `align_poses`.
        rotation_median_deg: median of the same.
        rpe_translation_rmse: root of the mean over neighbours in the order of the squared
            length of the error of the relative motion, scaled as for the ATE, world units.
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


TRAJECTORY_METRICS = (
    Metric("poses", "", "frames compared", better=""),
    Metric("path_length", "", "of the truth, the set's units", better=""),
    Metric(
        "posed_share",
        "posed",
        "share of the run's key frames that have a pose, in one model",
        better="higher",
        form="{:.1%}",
    ),
    Metric(
        "ate_percent_of_path",
        "ATE, % of path",
        "root of the mean over posed key frames of the squared distance of the camera centres, "
        "after Sim(3) alignment of the centres, in % of the true path's length",
        form="{:.3f}",
        tolerance=POSE_TOLERANCE,
    ),
    Metric(
        "ate_rmse",
        "ATE",
        "the same in the set's units",
        form="{:.3g}",
        main=False,
        tolerance=POSE_TOLERANCE,
    ),
    Metric("ate_median", "", "median of the same distances"),
    Metric(
        "rotation_mean_deg",
        "rotation, °",
        "mean over posed key frames of the angle between true and estimated orientation",
        form="{:.3f}",
        tolerance=POSE_TOLERANCE,
    ),
    Metric("rotation_median_deg", "", "median of the same"),
    Metric(
        "rpe_translation_rmse",
        "RPE",
        "root of the mean over neighbours of the squared error of their motion, the set's units",
        form="{:.3g}",
        main=False,
        tolerance=POSE_TOLERANCE,
    ),
    Metric("rpe_rotation_mean_deg", "", "mean of its angle"),
)


def align_centres(estimate_n44: FloatArray, truth_n44: FloatArray) -> Similarity:
    """Sim(3) with the least squared distance of the camera centres: the one of the ATE.

    On a short or straight path, the rotation that the centres give is poor, whatever the
    quality of the poses: what lies far from the path should be moved by `align_poses`.

    Args:
        estimate_n44: world_from_cam of n frames.
        truth_n44: the same frames in the true world.

    Raises:
        ValueError: fewer than three frames, or the estimated centres coincide.
    """
    _check(estimate_n44)
    return align_similarity(estimate_n44[:, :3, 3], truth_n44[:, :3, 3])


def align_poses(estimate_n44: FloatArray, truth_n44: FloatArray) -> Similarity:
    """Sim(3) with the rotation of the cameras' orientations, the rest by their centres.

    The rotation has the least squared chordal distance to those of the n frames (Hartley
    et al., "Rotation averaging", IJCV 2013); given it, scale and translation have the
    least squared distance of the centres.

    Args:
        estimate_n44: world_from_cam of n frames.
        truth_n44: the same frames in the true world.

    Raises:
        ValueError: fewer than three frames, or the estimated centres coincide.
    """
    _check(estimate_n44)
    sum_33 = np.einsum("nij,nkj->ik", truth_n44[:, :3, :3], estimate_n44[:, :3, :3])
    u_33, _, vt_33 = np.linalg.svd(sum_33)
    rotation_33 = u_33 @ np.diag([1.0, 1.0, np.linalg.det(u_33 @ vt_33)]) @ vt_33
    turned_n3 = estimate_n44[:, :3, 3] @ rotation_33.T
    centres_n3 = truth_n44[:, :3, 3]
    turned_mean_3, mean_3 = turned_n3.mean(0), centres_n3.mean(0)
    turned_n3 -= turned_mean_3
    scale = float((turned_n3 * (centres_n3 - mean_3)).sum() / (turned_n3**2).sum())
    return Similarity(scale, rotation_33, mean_3 - scale * turned_mean_3)


def _check(estimate_n44: FloatArray) -> None:
    if len(estimate_n44) < MIN_POSES:
        raise ValueError(f"alignment needs {MIN_POSES} poses, got {len(estimate_n44)}")
    if not np.ptp(estimate_n44[:, :3, 3], axis=0).any():
        raise ValueError("all estimated centres coincide: the scale is undefined")


def trajectory_errors(
    estimate_n44: FloatArray,
    truth_n44: FloatArray,
    by_centres: Similarity,
    by_poses: Similarity,
) -> TrajectoryErrors:
    """Compare poses of the same frames.

    Args:
        estimate_n44: world_from_cam of n frames, in order of time.
        truth_n44: the same in the true world.
        by_centres: as `align_centres` gives.
        by_poses: as `align_poses` gives.
    """
    aligned_n44 = np.stack([by_centres.apply_to_pose(pose) for pose in estimate_n44])
    turned_n44 = np.stack([by_poses.apply_to_pose(pose) for pose in estimate_n44])
    distance_n = np.linalg.norm(aligned_n44[:, :3, 3] - truth_n44[:, :3, 3], axis=1)
    angle_n = rotation_angles_deg(inverse_rigid(truth_n44) @ turned_n44)
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
    return np.asarray(np.degrees(rotation_angle_rad(transforms_n44[:, :3, :3])))
