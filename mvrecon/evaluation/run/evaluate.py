"""Evaluates a run directory against a posed set."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mvrecon.datasets.posed import load_posed_set
from mvrecon.errors import NotEnoughDataError, UsageError
from mvrecon.evaluation.metrics.drift import PART_LENGTHS, ate_over_parts
from mvrecon.evaluation.metrics.image import image_errors, mean_image_errors
from mvrecon.evaluation.metrics.surface import (
    ACCURACY_MULTIPLES,
    sample_surface,
    surface_errors,
)
from mvrecon.evaluation.metrics.trajectory import (
    MIN_POSES,
    align_centres,
    align_poses,
    trajectory_errors,
)
from mvrecon.evaluation.run.depth import evaluate_depth, load_depth
from mvrecon.evaluation.run.evaluation import (
    Evaluation,
    FrameCounts,
    ImageEvaluation,
    SurfaceEvaluation,
)
from mvrecon.evaluation.run.files import MatchedFrame, match_frames, read_key_frames
from mvrecon.evaluation.run.notes import drift_notes, missing_notes, threshold_notes
from mvrecon.evaluation.run.reference import (
    SAMPLES,
    SEED,
    ReferenceSurface,
    build_reference,
)
from mvrecon.evaluation.spread import spread
from mvrecon.formats.images import read_pixels
from mvrecon.formats.mesh import Mesh, read_mesh_ply
from mvrecon.geometry.raycasting import TriangleScene
from mvrecon.geometry.similarity import Similarity
from mvrecon.render import MeshRenderer

FloatArray = NDArray[np.float32]

DEFAULT_THRESHOLD_SHARE = 0.01
FURTHER_THRESHOLDS = (0.25, 0.5, 2.0)
MAX_RENDERED_IMAGES = 30


def evaluate_run(
    run_dir: Path,
    dataset: Path,
    threshold: float | None = None,
    parts: Collection[str] = ("depth", "surface", "image"),
) -> Evaluation:
    """Errors of a run's trajectory, depth maps, mesh and rendered pictures.

    The run's world is brought into the set's by `align_poses`, for the ATE by
    `align_centres`.

    Args:
        run_dir: with `frames.csv` and `trajectory.txt`; `depth/`, `mesh.ply` and `images/`
            are used where they are.
        dataset: folder with `cameras.json`.
        threshold: for the F-score, in the set's units; by default 1 % of the diagonal of
            the box round the reference surface that cameras saw.
        parts: what is evaluated besides the trajectory.

    Raises:
        UsageError: the threshold is not positive.
        InputError: files are missing or unreadable, or the set is not of this run.
        NotEnoughDataError: too few common poses to align.
    """
    if threshold is not None and not threshold > 0:
        raise UsageError(f"--threshold {threshold} is not a distance", "Give a positive number")
    posed_set = load_posed_set(dataset)
    frames = read_key_frames(run_dir)
    matched = match_frames(frames, posed_set)
    if len(matched) < MIN_POSES:
        raise NotEnoughDataError(
            f"{run_dir} has {len(matched)} posed frames with a true pose, {MIN_POSES} are needed",
            "Look in frames.csv for why frames were lost",
        )
    estimate_n44 = np.stack([frame.world_from_cam for frame in matched])
    truth_n44 = np.stack([frame.truth.world_from_cam for frame in matched])
    try:
        by_centres = align_centres(estimate_n44, truth_n44)
        alignment = align_poses(estimate_n44, truth_n44)
    except ValueError as error:
        raise NotEnoughDataError(
            f"the trajectory cannot be aligned ({error})", "Run again on frames that move"
        ) from error
    mesh_path = run_dir / "mesh.ply"
    mesh = read_mesh_ply(mesh_path) if mesh_path.is_file() else None
    reference = build_reference(posed_set) if "surface" in parts else None
    depth = None
    if "depth" in parts:
        depth = evaluate_depth(run_dir, matched, posed_set, alignment.scale)
    surface = None
    if mesh and reference:
        surface = _evaluate_surface(mesh, alignment, reference, threshold)
    image = _evaluate_images(run_dir, matched, mesh) if mesh and "image" in parts else None
    by_length = {
        length: ate_over_parts(estimate_n44[:, :3, 3], truth_n44[:, :3, 3], length)
        for length in PART_LENGTHS
    }
    posed = sum(frame.world_from_cam is not None for frame in frames)
    return Evaluation(
        frames=FrameCounts(len(frames), posed, len(matched)),
        trajectory=trajectory_errors(estimate_n44, truth_n44, by_centres, alignment),
        trajectory_parts=by_length,
        depth=depth,
        surface=surface,
        image=image,
        notes=(
            *missing_notes(parts, depth, image, mesh is not None, reference is not None),
            *drift_notes(by_length, depth),
            *threshold_notes(surface),
        ),
    )


def _evaluate_surface(
    mesh: Mesh, alignment: Similarity, reference: ReferenceSurface, threshold: float | None
) -> SurfaceEvaluation:
    vertices_n3 = alignment.apply(mesh.points.xyz_n3.astype(np.float64))
    points = sample_surface(vertices_n3, mesh.faces_m3.astype(np.int64), SAMPLES, SEED)
    judged_n = reference.can_judge(points.xyz_n3)
    accuracy_n = reference.triangles.distance(points.xyz_n3[judged_n])
    estimate = TriangleScene(vertices_n3, mesh.faces_m3)
    completeness_m = estimate.distance(reference.seen.xyz_n3)
    if threshold is None:
        threshold = DEFAULT_THRESHOLD_SHARE * reference.diameter
    further = [factor * threshold for factor in FURTHER_THRESHOLDS]

    def f_score(at: float) -> float:
        return surface_errors(accuracy_n, completeness_m, at).f_score

    return SurfaceEvaluation(
        diameter=reference.diameter,
        judged_share=float(judged_n.mean()),
        errors=surface_errors(accuracy_n, completeness_m, threshold),
        f_score_by_threshold={other: f_score(other) for other in further},
        reference_accuracy=reference.accuracy,
        f_score_by_accuracy={
            multiple: f_score(multiple * reference.accuracy)
            for multiple in ACCURACY_MULTIPLES
            if reference.accuracy
        },
    )


def _evaluate_images(
    run_dir: Path, frames: Sequence[MatchedFrame], mesh: Mesh
) -> ImageEvaluation | None:
    """Compare the mesh seen from the run's own poses with the run's key frames."""
    renderer = MeshRenderer(mesh)
    errors = []
    for frame in spread(frames, MAX_RENDERED_IMAGES):
        depth_path = run_dir / "depth" / f"{frame.name}.npz"
        pictures = sorted((run_dir / "images").glob(f"{frame.name}.*"))
        if not depth_path.is_file() or not pictures:
            continue
        picture_hw3 = read_pixels(pictures[0])
        height, width = picture_hw3.shape[:2]
        camera = load_depth(depth_path)[1].scaled(width, height)
        rendered_hw3, depth_hw = renderer.render(camera, frame.world_from_cam)
        truth_hw3 = picture_hw3.astype(np.float32) / np.float32(255)
        estimate_hw3 = rendered_hw3.astype(np.float32) / np.float32(255)
        errors.append(image_errors(estimate_hw3, truth_hw3, depth_hw > 0))
    return ImageEvaluation(len(errors), mean_image_errors(errors)) if errors else None
