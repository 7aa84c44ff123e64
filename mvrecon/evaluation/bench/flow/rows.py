"""From the results of pairs to the figures of a data set."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from mvrecon.evaluation.bench.flow.measure import TIMED_SIZE, PairResult
from mvrecon.evaluation.bench.rows import Row
from mvrecon.evaluation.metrics.flow import (
    FlowErrors,
    epe_mean_over_images_px,
    epe_mean_over_pixels_px,
    fl_all_over_pixels,
    over_1px_over_pixels,
    over_3px_over_pixels,
    over_5px_over_pixels,
)

MIB = 1024**2
WORDS = ("best", "median", "worst")

Aggregate = Callable[[Sequence[FlowErrors]], float]
# Name of the figure → region that it speaks of, and how it aggregates.
REGIONAL: dict[str, tuple[str, Aggregate]] = {
    "epe_mean_over_pixels_px": ("all", epe_mean_over_pixels_px),
    "epe_mean_over_images_px": ("all", epe_mean_over_images_px),
    "fl_all_over_pixels": ("all", fl_all_over_pixels),
    "fl_bg_over_pixels": ("background", fl_all_over_pixels),
    "fl_fg_over_pixels": ("foreground", fl_all_over_pixels),
    "over_1px_over_pixels": ("all", over_1px_over_pixels),
    "over_3px_over_pixels": ("all", over_3px_over_pixels),
    "over_5px_over_pixels": ("all", over_5px_over_pixels),
    "epe_visible_over_pixels_px": ("visible", epe_mean_over_pixels_px),
    "epe_occluded_over_pixels_px": ("occluded", epe_mean_over_pixels_px),
    "epe_s0_10_over_pixels_px": ("s0-10", epe_mean_over_pixels_px),
    "epe_s10_40_over_pixels_px": ("s10-40", epe_mean_over_pixels_px),
    "epe_s40_plus_over_pixels_px": ("s40+", epe_mean_over_pixels_px),
    "epe_with_invalid_over_pixels_px": ("with_invalid", epe_mean_over_pixels_px),
}


def flow_row(title: str, label: str, results: Sequence[PairResult]) -> Row:
    """A model on a part of a data set; a region that no image has gives no figure."""
    figures: dict[str, float] = {}
    for name, (region, aggregate) in REGIONAL.items():
        images = [result.regions[region] for result in results if region in result.regions]
        if images:
            figures[name] = aggregate(images)
    figures["epe_surest_80_over_images_px"] = float(np.mean([r.sparse_px[1] for r in results]))
    figures["epe_surest_50_over_images_px"] = float(np.mean([r.sparse_px[2] for r in results]))
    figures["epe_best_80_over_images_px"] = float(np.mean([r.oracle_px for r in results]))
    figures["cpu_s_mean_over_pairs"] = float(np.mean([r.cpu_s for r in results]))
    figures["peak_mib_largest"] = max(r.peak_bytes for r in results) / MIB
    return Row("flow", title, label, len(results), figures)


def flow_time_rows(times: dict[str, tuple[float, int]], reference: str) -> list[Row]:
    """Processor time of each model beside that of the reference model.

    Args:
        times: label → processor seconds and peak bytes.
        reference: label whose ratio is 1.
    """
    width, height = TIMED_SIZE
    rows = []
    for label, (cpu_s, peak_bytes) in times.items():
        figures = {
            "cpu_s_least_of_runs": cpu_s,
            "ratio_to_reference": cpu_s / times[reference][0],
            "peak_mib_largest": peak_bytes / MIB,
        }
        rows.append(Row("flow-time", f"{width}×{height}, 1 = {reference}", label, 1, figures))
    return rows


def telling_pairs(results: Sequence[PairResult]) -> dict[str, PairResult]:
    """The pairs of least, median and largest end-point error, fewer if there are fewer."""
    ordered = sorted(results, key=lambda result: result.epe_px)
    chosen = {"best": ordered[0], "worst": ordered[-1], "median": ordered[len(ordered) // 2]}
    names = {"best": 1, "worst": 2, "median": 3}
    return {word: chosen[word] for word in WORDS if names[word] <= len(ordered)}
