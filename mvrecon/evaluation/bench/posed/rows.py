"""From a judged run to the rows of the benchmarks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mvrecon.evaluation.bench.posed.runs import (
    ALL_STAGES,
    DEPTH_STAGES,
    POSE_STAGES,
    SURFACE_STAGES,
    Judged,
)
from mvrecon.evaluation.bench.rows import Row
from mvrecon.evaluation.metrics.depth import DEPTH_METRICS
from mvrecon.evaluation.metrics.drift import SCALE_METRICS
from mvrecon.evaluation.metrics.image import IMAGE_METRICS
from mvrecon.evaluation.metrics.metric import Metric
from mvrecon.evaluation.metrics.surface import SURFACE_METRICS
from mvrecon.evaluation.metrics.trajectory import TRAJECTORY_METRICS

MIB = 1024**2


def posed_row(benchmark: str, title: str, label: str, judged: Judged) -> Row:
    """The row of one benchmark; figures that the run or the set does not give are not there."""
    count, figures = _ROWS[benchmark](judged)
    known = {name: float(value) for name, value in figures.items() if value is not None}
    missing = "" if count else "no truth or no result to compare"
    return Row(benchmark, title, label, count, known, judged.note or missing)


def _trajectory(judged: Judged) -> tuple[int, dict[str, Any]]:
    frames = _part(judged, "frames")
    figures = _figures(TRAJECTORY_METRICS, _part(judged, "trajectory"))
    parts = _part(judged, "trajectory_parts")
    figures |= {f"ate_over_{length}": part["ate_rmse"] for length, part in parts.items()}
    figures["posed_share"] = frames["posed"] / frames["key_frames"] if frames else 0.0
    figures["cpu_s_to_poses"] = judged.total("cpu_s", POSE_STAGES)
    return frames.get("compared", 0), figures


def _depth(judged: Judged) -> tuple[int, dict[str, Any]]:
    depth = _part(judged, "depth")
    if not depth:
        return 0, {}
    best = {f"best {float(share):.0%}": v for share, v in depth["abs_rel_by_coverage"].items()}
    figures = _figures(
        DEPTH_METRICS, {**depth["trajectory_scale"], **best, "flicker": depth.get("flicker")}
    )
    figures |= _figures(SCALE_METRICS, depth["scale_drift"] or {})
    figures["abs_rel_median_scale"] = depth["median_scale"]["abs_rel"]
    cpu_s = judged.total("cpu_s", DEPTH_STAGES)
    maps = _part(judged, "frames")["posed"]
    figures["cpu_s_per_map"] = None if cpu_s is None else cpu_s / maps
    figures["peak_mib_largest"] = _mib(judged.peak_bytes(DEPTH_STAGES))
    return depth["images"], figures


def _surface(judged: Judged) -> tuple[int, dict[str, Any]]:
    surface = _part(judged, "surface")
    if not surface:
        return 0, {}
    errors = surface["errors"]
    figures = _figures(SURFACE_METRICS, errors)
    by_accuracy = surface["f_score_by_accuracy"]
    figures |= {f"f_score_{multiple}_accuracies": f for multiple, f in by_accuracy.items()}
    figures["reference_accuracy"] = surface["reference_accuracy"]
    chamfer = errors["chamfer"]
    figures["chamfer_percent"] = None if chamfer is None else 100 * chamfer / surface["diameter"]
    figures["cpu_s_surface"] = judged.total("cpu_s", SURFACE_STAGES)
    figures["peak_mib_largest"] = _mib(judged.peak_bytes(SURFACE_STAGES))
    return 1, figures


def _pipeline(judged: Judged) -> tuple[int, dict[str, Any]]:
    figures = {
        "cpu_s_all_stages": judged.total("cpu_s", ALL_STAGES),
        "wall_s_all_stages": judged.total("wall_s", ALL_STAGES),
        "peak_mib_largest": _mib(judged.peak_bytes(ALL_STAGES)),
        **_figures(IMAGE_METRICS, _part(judged, "image").get("errors", {})),
    }
    return _part(judged, "frames").get("key_frames", 0), figures


_ROWS = {
    "trajectory": _trajectory,
    "depth": _depth,
    "surface": _surface,
    "pipeline": _pipeline,
}


def _figures(metrics: Sequence[Metric], errors: Mapping[str, Any]) -> dict[str, Any]:
    """What a run's evaluation has of the benchmarks' metrics, by their names."""
    return {
        metric.name: errors[metric.field_name]
        for metric in metrics
        if metric.heading and metric.field_name in errors
    }


def _part(judged: Judged, name: str) -> Mapping[str, Any]:
    part: Mapping[str, Any] = judged.figures.get(name) or {}
    return part


def _mib(value: float | None) -> float | None:
    return None if value is None else value / MIB
