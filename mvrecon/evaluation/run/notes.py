"""What a run's figures do not tell, and why."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from mvrecon.evaluation.metrics.drift import MIN_MAPS, MIN_PART_POSES, MIN_PARTS, PartErrors
from mvrecon.evaluation.metrics.surface import LEAST_TOLD
from mvrecon.evaluation.run.evaluation import DepthEvaluation, ImageEvaluation, SurfaceEvaluation


def drift_notes(
    by_length: Mapping[int, PartErrors], depth: DepthEvaluation | None
) -> Iterator[str]:
    """Which figures of drift the path is too short for."""
    missing = [str(length) for length, errors in by_length.items() if errors.parts < MIN_PARTS]
    if missing:
        yield (
            f"no ATE over parts of {', '.join(missing)}: the path has fewer than {MIN_PARTS} parts "
            f"of that length with {MIN_PART_POSES} or more compared frames"
        )
    if depth and depth.scale_drift is None:
        yield (
            f"no trend and spread of the depth maps' scale: fewer than {MIN_MAPS} maps with a "
            "truth, or all at one place"
        )


def missing_notes(
    parts: Collection[str],
    depth: DepthEvaluation | None,
    image: ImageEvaluation | None,
    has_mesh: bool,
    has_reference: bool,
) -> Iterator[str]:
    """Which of the parts asked for could not be had."""
    if "depth" in parts and depth is None:
        yield "no depth figures: the run or the set has no depth of a common frame"
    if not has_mesh and {"surface", "image"} & set(parts):
        yield "no surface and image figures: the run has no mesh.ply"
    elif "surface" in parts and not has_reference:
        yield "no surface figures: the set has neither a mesh nor depth maps"
    if "image" in parts and has_mesh and image is None:
        yield "no image figures: the run has no key frame with a picture and a depth map"


def threshold_notes(surface: SurfaceEvaluation | None) -> Iterator[str]:
    """Which F-scores tell of the reference's errors."""
    if surface is None or surface.reference_accuracy is None:
        return
    thresholds = sorted((surface.errors.threshold, *surface.f_score_by_threshold))
    least = LEAST_TOLD * surface.reference_accuracy
    if below := [f"{threshold:.4g}" for threshold in thresholds if threshold < least]:
        yield (
            f"F at {', '.join(below)} is below what the reference can tell: under {least:.4g}, "
            f"{LEAST_TOLD} times its accuracy, an exact mesh would lose points too"
        )
