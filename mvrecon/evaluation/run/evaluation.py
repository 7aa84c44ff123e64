"""The figures of one run, for programs and for people."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from mvrecon.evaluation.metrics.depth import DEPTH_METRICS, DepthErrors
from mvrecon.evaluation.metrics.drift import (
    PART_METRICS,
    SCALE_METRICS,
    PartErrors,
    ScaleDrift,
    part_figures,
)
from mvrecon.evaluation.metrics.image import IMAGE_METRICS, ImageErrors
from mvrecon.evaluation.metrics.metric import Metric, by_field
from mvrecon.evaluation.metrics.surface import SURFACE_METRICS, SurfaceErrors
from mvrecon.evaluation.metrics.trajectory import TRAJECTORY_METRICS, TrajectoryErrors


@dataclass(frozen=True)
class FrameCounts:
    """How much of the input the figures speak of.

    Attributes:
        key_frames: kept by the run.
        posed: of these, with a pose.
        compared: of these, with a true pose.
    """

    key_frames: int
    posed: int
    compared: int


@dataclass(frozen=True)
class DepthEvaluation:
    """Mean over images of the depth maps' errors.

    Attributes:
        images: number of depth maps compared.
        trajectory_scale: depths scaled by the alignment of the trajectory.
        median_scale: each depth map scaled by the median of truth / estimate instead.
        abs_rel_by_coverage: share of the most confident pixels → their AbsRel, trajectory scale.
        flicker: mean over neighbours in the run's order of `temporal_flicker`, trajectory scale.
        scale_drift: of the median of truth / estimate, trajectory scale; None with too few maps.
        scale_along_path: of each map its position on the true path, world units, and that median.
    """

    images: int
    trajectory_scale: DepthErrors
    median_scale: DepthErrors
    abs_rel_by_coverage: Mapping[float, float]
    flicker: float
    scale_drift: ScaleDrift | None
    scale_along_path: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class SurfaceEvaluation:
    """Errors of `mesh.ply` against the reference surface.

    Attributes:
        diameter: of the reference that cameras saw, world units of the set.
        judged_share: share of the estimate's points of which the truth is known.
        errors: at the threshold asked for.
        f_score_by_threshold: further thresholds → F-score.
        reference_accuracy: standard deviation of the reference's own error, world units; None
            if it is exact.
        f_score_by_accuracy: multiples of that as thresholds → F-score.
    """

    diameter: float
    judged_share: float
    errors: SurfaceErrors
    f_score_by_threshold: Mapping[float, float]
    reference_accuracy: float | None
    f_score_by_accuracy: Mapping[int, float]


@dataclass(frozen=True)
class ImageEvaluation:
    """Mean over images of the errors of the rendered mesh, where it covers the picture.

    Attributes:
        images: number of key frames compared.
        errors: mean over these.
    """

    images: int
    errors: ImageErrors


@dataclass(frozen=True)
class Evaluation:
    """All figures of a run; a part that could not be had is None and `notes` says why."""

    frames: FrameCounts
    trajectory: TrajectoryErrors
    trajectory_parts: Mapping[int, PartErrors]
    depth: DepthEvaluation | None
    surface: SurfaceEvaluation | None
    image: ImageEvaluation | None
    notes: tuple[str, ...] = ()

    def to_json(self) -> str:
        """Nested figures by name; what is not a finite number is null."""
        return json.dumps(_plain(asdict(self)), indent=1) + "\n"

    def to_table(self) -> str:
        """Lines for a person; an arrow tells which direction is better."""
        lines = [
            f"frames: {self.frames.key_frames} key frames, {self.frames.posed} posed, "
            f"{self.frames.compared} compared"
        ]
        for title, metrics, figures in self._sections():
            known = by_field(metrics)
            lines += ["", title, *(_row(name, value, known) for name, value in figures.items())]
        lines += [f"note: {note}" for note in self.notes]
        return "\n".join(lines)

    def _sections(self) -> Iterator[tuple[str, tuple[Metric, ...], dict[str, float]]]:
        title = "trajectory (after Sim(3) alignment, the set's units)"
        yield title, TRAJECTORY_METRICS, asdict(self.trajectory)
        if parts := part_figures(self.trajectory_parts):
            yield "trajectory, parts aligned one by one", PART_METRICS, parts
        if self.depth:
            where = f"mean over {self.depth.images} images"
            for title, figures in (
                (f"depth, scaled by the trajectory ({where})", asdict(self.depth.trajectory_scale)),
                (f"depth, scaled image by image ({where})", asdict(self.depth.median_scale)),
                (
                    f"depth, abs_rel of the surest pixels ({where})",
                    {f"best {s:.0%}": v for s, v in self.depth.abs_rel_by_coverage.items()},
                ),
                ("depth, change of static points between views", {"flicker": self.depth.flicker}),
            ):
                yield title, DEPTH_METRICS, figures
            if drift := self.depth.scale_drift:
                title = "depth, the maps' scale (truth / estimate) along the path"
                yield title, SCALE_METRICS, asdict(drift)
        if self.surface:
            title = (
                f"surface (scene diameter {self.surface.diameter:.4g}, "
                f"{self.surface.judged_share:.1%} of the mesh judged)"
            )
            further = {
                f"f_score at {t:.4g}": f for t, f in self.surface.f_score_by_threshold.items()
            }
            yield title, SURFACE_METRICS, asdict(self.surface.errors) | further
            if accuracy := self.surface.reference_accuracy:
                by_accuracy = {
                    f"f_score at {multiple} × {accuracy:.2g}": f
                    for multiple, f in self.surface.f_score_by_accuracy.items()
                }
                title = "surface, by what the reference can tell"
                yield title, SURFACE_METRICS, {"reference_accuracy": accuracy} | by_accuracy
        if self.image:
            title = f"mesh rendered over the key frames (mean over {self.image.images} images)"
            yield title, IMAGE_METRICS, asdict(self.image.errors)


def _row(name: str, value: float, known: Mapping[str, Metric]) -> str:
    metric = known[name.partition(" at ")[0]]
    return f"  {name:<24} {metric.arrow} {value:.5g}"


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _plain(entry) for name, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
