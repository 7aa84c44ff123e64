"""A run's depth maps beside the true ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mvrecon.artifacts.depth import DepthMap
from mvrecon.datasets.posed import PosedSet, load_posed_set
from mvrecon.errors import InputError
from mvrecon.evaluation.metrics.depth import (
    JudgedDepth,
    abs_rel_by_confidence,
    depth_errors,
    finite_mean,
    mean_curve,
    mean_over_images,
    median_scale,
    temporal_flicker,
)
from mvrecon.evaluation.metrics.drift import path_position, scale_drift
from mvrecon.evaluation.metrics.trajectory import align_poses
from mvrecon.evaluation.run.evaluation import DepthEvaluation
from mvrecon.evaluation.run.files import MatchedFrame, match_frames, read_key_frames
from mvrecon.evaluation.run.reference import nearest
from mvrecon.formats.files import inside
from mvrecon.formats.mesh import read_mesh_ply
from mvrecon.geometry.camera import Camera
from mvrecon.geometry.raycasting import TriangleScene, pixel_rays

FloatArray = NDArray[np.float32]


def evaluate_depth(
    run_dir: Path, frames: Sequence[MatchedFrame], posed_set: PosedSet, scale: float
) -> DepthEvaluation | None:
    """Compare along the same directions from the true camera centre, at the map's size."""
    by_trajectory, by_median, curves, flicker, scales = [], [], [], [], []
    centres_n3 = np.stack([frame.truth.world_from_cam[:3, 3] for frame in frames])
    position = dict(zip((frame.name for frame in frames), path_position(centres_n3), strict=True))
    before: JudgedDepth | None = None
    for frame, estimate, judged in judged_depths(run_dir, frames, posed_set, scale):
        scaled_hw, truth_hw = judged.estimate_hw, judged.truth_hw
        by_trajectory.append(depth_errors(scaled_hw, truth_hw))
        factor = np.float32(median_scale(estimate.depth_hw, truth_hw))
        scales.append((float(position[frame.name]), float(factor) / scale))
        by_median.append(depth_errors(np.nan_to_num(estimate.depth_hw * factor), truth_hw))
        curves.append(abs_rel_by_confidence(scaled_hw, estimate.confidence_hw, truth_hw))
        if before is not None:
            flicker.append(temporal_flicker(before, judged))
        before = judged
    if not by_trajectory:
        return None
    return DepthEvaluation(
        images=len(by_trajectory),
        trajectory_scale=mean_over_images(by_trajectory),
        median_scale=mean_over_images(by_median),
        abs_rel_by_coverage=mean_curve(curves),
        flicker=finite_mean(np.array(flicker)),
        scale_drift=scale_drift(*np.array(scales).T),
        scale_along_path=tuple(scales),
    )


def judged_depths(
    run_dir: Path, frames: Sequence[MatchedFrame], posed_set: PosedSet, scale: float
) -> Iterator[tuple[MatchedFrame, DepthMap, JudgedDepth]]:
    """Each depth map of a run that has a truth, as it is, and beside the truth.

    Args:
        run_dir: with `depth/`.
        frames: of the run, in its order.
        posed_set: with the truth.
        scale: from the run's units to the set's.
    """
    truth_of = TrueDepth(posed_set)
    for frame in frames:
        path = run_dir / "depth" / f"{frame.name}.npz"
        if not path.is_file() or not truth_of.knows(frame):
            continue
        estimate, camera = load_depth(path)
        scaled_hw = estimate.depth_hw * np.float32(scale)
        truth_hw = truth_of.along(frame, camera)
        pose = frame.truth.world_from_cam
        yield frame, estimate, JudgedDepth(scaled_hw, truth_hw, estimate.k_33, pose)


def middle_depth(
    run_dir: Path, dataset: Path
) -> Iterator[tuple[MatchedFrame, DepthMap, JudgedDepth]]:
    """The same of the key frame in the middle, scaled by the alignment of the trajectory.

    Raises:
        InputError: files are missing or unreadable, or the set is not of this run.
        ValueError: the trajectory cannot be aligned.
    """
    posed_set = load_posed_set(dataset)
    matched = match_frames(read_key_frames(run_dir), posed_set)
    alignment = align_poses(
        np.stack([frame.world_from_cam for frame in matched]),
        np.stack([frame.truth.world_from_cam for frame in matched]),
    )
    middle = matched[len(matched) // 2]
    return judged_depths(run_dir, [middle], posed_set, alignment.scale)


class TrueDepth:
    """True depth along the pixels of any pinhole camera at a true pose."""

    def __init__(self, posed_set: PosedSet) -> None:
        self._set = posed_set
        self._scene: TriangleScene | None = None
        if posed_set.mesh_file:
            mesh = read_mesh_ply(inside(posed_set.root, posed_set.mesh_file))
            self._scene = TriangleScene(mesh.points.xyz_n3, mesh.faces_m3)

    def knows(self, frame: MatchedFrame) -> bool:
        """Whether there is a true depth for the frame."""
        return self._scene is not None or bool(frame.truth.depth_file)

    def along(self, frame: MatchedFrame, camera: Camera) -> FloatArray:
        """True depth (h, w) along the pixels of `camera`, 0 = unknown."""
        if self._scene is not None:
            hits = self._scene.cast(*pixel_rays(camera, frame.truth.world_from_cam))
            depth_n = np.where(hits.met_n, hits.distance_n, 0)
        else:
            directions_n3 = pixel_rays(camera, np.eye(4))[1].astype(np.float64)
            depth_n = nearest(
                self._set.read_depth(frame.truth), frame.truth.depth_camera.project(directions_n3)
            )
        return depth_n.reshape(camera.height, camera.width).astype(np.float32)


def load_depth(path: Path) -> tuple[DepthMap, Camera]:
    """A depth map and the camera of its size.

    Raises:
        InputError: it cannot be read.
    """
    try:
        estimate = DepthMap.load(path)
    except (OSError, ValueError, KeyError) as error:
        raise InputError(
            f"{path} is not a depth map ({error})", "Run the fusion stage again"
        ) from error
    height, width = estimate.depth_hw.shape
    k = estimate.k_33
    return estimate, Camera(width, height, k[0, 0], k[1, 1], k[0, 2], k[1, 2])
