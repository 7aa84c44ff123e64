"""Figures of posed images against a set with known poses, the same for any pipeline."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from mvrecon.datasets.posed import PosedImage, PosedSet, load_posed_set
from mvrecon.evaluation.metrics.drift import (
    PART_LENGTHS,
    ScaleDrift,
    ate_over_parts,
    path_position,
    scale_drift,
)
from mvrecon.evaluation.metrics.trajectory import MIN_POSES, align_poses
from mvrecon.evaluation.run.reference import nearest
from mvrecon.formats.colmap.model import ColmapImage, ColmapModel
from mvrecon.geometry.rigid import inverse_rigid, transform_points
from mvrecon.geometry.similarity import align_similarity

FloatArray = NDArray[np.float64]

# The camera's place in the reference's body and the alignment depend on each other.
OFFSET_ROUNDS = 30
# A median of fewer points says little about a frame's scale.
MIN_POINTS = 20


@dataclass(frozen=True)
class PoseFigures:
    """Errors of the posed images that the set knows.

    Attributes:
        posed: number of them.
        path_length: of the true path through them, the set's units.
        ate_percent: RMSE of the centres after Sim(3), in percent of the path.
        offset_ate_percent: the same with one more unknown, a constant shift from the camera that
            the set's poses belong to; what is left of the reference's error is its own drift.
        part_ates: RMSE over parts of each of `PART_LENGTHS`, percent of the length.
        drift: of the depth of sparse points against the set's depth maps; None without these.
    """

    posed: int
    path_length: float
    ate_percent: float
    offset_ate_percent: float
    part_ates: tuple[float, ...]
    drift: ScaleDrift | None


def pose_figures(
    model: ColmapModel, root: Path, poses: Mapping[str, FloatArray] | None = None
) -> PoseFigures | None:
    """Compare a model with the truth; None with too few images that the set knows.

    Args:
        model: of images that are called as the set's files are.
        root: of the set.
        poses: world_from_cam by file name, if there are more of them than in the model.
    """
    posed_set = load_posed_set(root)
    truths = {PurePosixPath(image.file).name: image for image in posed_set.images}
    if poses is None:
        poses = {image.name: inverse_rigid(image.cam_from_world) for image in model.images}
    names = sorted(name for name in poses if name in truths)
    if len(names) < MIN_POSES:
        return None
    estimate_n44 = np.stack([poses[name] for name in names])
    truth_n44 = np.stack([truths[name].world_from_cam for name in names])
    centres_n3, true_n3 = estimate_n44[:, :3, 3], truth_n44[:, :3, 3]
    position = dict(zip(names, path_position(true_n3), strict=True))
    path = position[names[-1]]
    parts = [ate_over_parts(centres_n3, true_n3, length).ate_rmse for length in PART_LENGTHS]
    scale = align_poses(estimate_n44, truth_n44).scale
    scales = [
        (position[image.name], _scale_of(model, image, truths[image.name], posed_set) / scale)
        for image in sorted(model.images, key=lambda image: image.name)
        if image.name in position and truths[image.name].depth_file
    ]
    return PoseFigures(
        posed=len(names),
        path_length=path,
        ate_percent=100 * _ate(centres_n3, true_n3) / path,
        offset_ate_percent=100 * _ate(_with_offset(estimate_n44, true_n3), true_n3) / path,
        part_ates=tuple(
            100 * ate / length for ate, length in zip(parts, PART_LENGTHS, strict=True)
        ),
        drift=scale_drift(*np.array(scales).T) if scales else None,
    )


def _ate(centres_n3: FloatArray, true_n3: FloatArray) -> float:
    moved_n3 = align_similarity(centres_n3, true_n3).apply(centres_n3)
    return float(np.sqrt(((moved_n3 - true_n3) ** 2).sum(1).mean()))


def _with_offset(estimate_n44: FloatArray, true_n3: FloatArray) -> FloatArray:
    """Centres (n, 3) shifted by the constant vector, in the cameras' axes, that fits best."""
    centres_n3 = moved_n3 = estimate_n44[:, :3, 3]
    for _ in range(OFFSET_ROUNDS):
        alignment = align_similarity(moved_n3, true_n3)
        left_n3 = alignment.inverse().apply(true_n3) - centres_n3
        offset_3 = np.einsum("nji,nj->ni", estimate_n44[:, :3, :3], left_n3).mean(0)
        moved_n3 = centres_n3 + estimate_n44[:, :3, :3] @ offset_3
    return moved_n3


def _scale_of(
    model: ColmapModel, image: ColmapImage, truth: PosedImage, posed_set: PosedSet
) -> float:
    """Median of true over estimated depth of the points of an image; nan with too few."""
    points_m3 = model.xyz_n3[image.point_k[image.point_k >= 0]]
    cam_m3 = transform_points(image.cam_from_world, points_m3)
    cam_m3 = cam_m3[cam_m3[:, 2] > 0]
    true_m = nearest(posed_set.read_depth(truth), truth.depth_camera.project(cam_m3))
    known_m = true_m > 0
    if known_m.sum() < MIN_POINTS:
        return float("nan")
    return float(np.median(true_m[known_m] / cam_m3[known_m, 2]))
