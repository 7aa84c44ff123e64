"""From the results of pairs to the figures of a data set."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mvrecon.evaluation.bench.flow.measure import TIMED_SIZE, PairResult
from mvrecon.evaluation.bench.rows import Row
from mvrecon.evaluation.metrics.flow import FLOW_METRICS, FlowMetric

MIB = 1024**2
WORDS = ("best", "median", "worst")


def flow_row(title: str, label: str, results: Sequence[PairResult]) -> Row:
    """A model on a part of a data set; a region that no image has gives no figure."""
    figures: dict[str, float] = {}
    for metric in FLOW_METRICS:
        if isinstance(metric, FlowMetric):
            region = metric.region
            images = [result.regions[region] for result in results if region in result.regions]
            if images:
                figures[metric.name] = metric.aggregate(images)
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
