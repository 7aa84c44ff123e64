"""From a judged run to the rows of the benchmarks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mvrecon.evaluation.bench.posed.runs import (
    ALL_STAGES,
    DEPTH_STAGES,
    POSE_STAGES,
    SURFACE_STAGES,
    Judged,
)
from mvrecon.evaluation.bench.rows import Row

MIB = 1024**2
DEPTH_NAMES = {
    "abs_rel_mean_over_images": "abs_rel",
    "median_rel_mean_over_images": "median_rel",
    "rmse_mean_over_images": "rmse",
    "delta_125_mean_over_images": "delta_125",
    "coverage_mean_over_images": "coverage",
}


def posed_row(benchmark: str, title: str, label: str, judged: Judged) -> Row:
    """The row of one benchmark; figures that the run or the set does not give are not there."""
    count, figures = _FIGURES[benchmark](judged)
    known = {name: float(value) for name, value in figures.items() if value is not None}
    missing = "" if count else "no truth or no result to compare"
    return Row(benchmark, title, label, count, known, judged.note or missing)


def _trajectory(judged: Judged) -> tuple[int, dict[str, Any]]:
    frames, errors = _part(judged, "frames"), _part(judged, "trajectory")
    names = ("ate_percent_of_path", "ate_rmse", "rotation_mean_deg", "rpe_translation_rmse")
    figures = {name: errors.get(name) for name in names}
    figures["posed_share"] = frames["posed"] / frames["key_frames"] if frames else 0.0
    figures["cpu_s_to_poses"] = judged.cpu_s(POSE_STAGES)
    return frames.get("compared", 0), figures


def _depth(judged: Judged) -> tuple[int, dict[str, Any]]:
    depth = _part(judged, "depth")
    if not depth:
        return 0, {}
    by_trajectory = depth["trajectory_scale"]
    figures = {name: by_trajectory[short] for name, short in DEPTH_NAMES.items()}
    figures["abs_rel_median_scale"] = depth["median_scale"]["abs_rel"]
    figures["flicker"] = depth.get("flicker")
    for share, value in depth["abs_rel_by_coverage"].items():
        figures[f"abs_rel_surest_{float(share):.0%}".rstrip("%")] = value
    del figures["abs_rel_surest_100"]  # the same as AbsRel
    cpu_s = judged.cpu_s(DEPTH_STAGES)
    maps = _part(judged, "frames")["posed"]
    figures["cpu_s_per_map"] = None if cpu_s is None else cpu_s / maps
    figures["peak_mib_largest"] = _mib(judged.peak_bytes(DEPTH_STAGES))
    return depth["images"], figures


def _surface(judged: Judged) -> tuple[int, dict[str, Any]]:
    surface = _part(judged, "surface")
    if not surface:
        return 0, {}
    errors = surface["errors"]
    figures = {name: errors[name] for name in ("f_score", "precision", "recall")}
    chamfer = errors["chamfer"]
    figures["chamfer_percent"] = None if chamfer is None else 100 * chamfer / surface["diameter"]
    figures["cpu_s_surface"] = judged.cpu_s(SURFACE_STAGES)
    figures["peak_mib_largest"] = _mib(judged.peak_bytes(SURFACE_STAGES))
    return 1, figures


def _pipeline(judged: Judged) -> tuple[int, dict[str, Any]]:
    errors = _part(judged, "image").get("errors", {})
    figures = {
        "cpu_s_all_stages": judged.cpu_s(ALL_STAGES),
        "wall_s_all_stages": judged.wall_s(ALL_STAGES),
        "peak_mib_largest": _mib(judged.peak_bytes(ALL_STAGES)),
        "psnr_db_mean_over_images": errors.get("psnr_db"),
        "ssim_mean_over_images": errors.get("ssim"),
        "covered_mean_over_images": errors.get("coverage"),
    }
    return _part(judged, "frames").get("key_frames", 0), figures


_FIGURES = {
    "trajectory": _trajectory,
    "depth": _depth,
    "surface": _surface,
    "pipeline": _pipeline,
}


def _part(judged: Judged, name: str) -> Mapping[str, Any]:
    part: Mapping[str, Any] = judged.figures.get(name) or {}
    return part


def _mib(value: float | None) -> float | None:
    return None if value is None else value / MIB
