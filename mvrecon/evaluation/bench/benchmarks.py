"""The benchmarks by name: their titles and their metrics, costs among them."""

from __future__ import annotations

from collections.abc import Iterable

from mvrecon.evaluation.metrics.depth import DEPTH_METRICS
from mvrecon.evaluation.metrics.drift import PART_METRICS, SCALE_METRICS
from mvrecon.evaluation.metrics.flow import FLOW_METRICS
from mvrecon.evaluation.metrics.image import IMAGE_METRICS
from mvrecon.evaluation.metrics.metric import COST_TOLERANCE, Metric
from mvrecon.evaluation.metrics.surface import SURFACE_METRICS
from mvrecon.evaluation.metrics.trajectory import TRAJECTORY_METRICS

TITLES = {
    "flow": "Optical flow",
    "flow-time": "Optical flow: processor time at 640×480",
    "trajectory": "Camera poses",
    "depth": "Depth",
    "surface": "Surface",
    "pipeline": "The whole pipeline",
}


def _cost(name: str, heading: str, meaning: str, form: str = "{:.0f}") -> Metric:
    return Metric(name, heading, meaning, form=form, tolerance=COST_TOLERANCE)


def _peak_mib(of_what: str) -> Metric:
    return _cost("peak_mib_largest", "peak MiB", f"largest resident memory of {of_what}")


def _benched(metrics: Iterable[Metric]) -> tuple[Metric, ...]:
    return tuple(metric for metric in metrics if metric.heading)


METRICS: dict[str, tuple[Metric, ...]] = {
    "flow": (
        *_benched(FLOW_METRICS),
        _cost(
            "cpu_s_mean_over_pairs",
            "CPU s",
            "processor seconds for a pair at full size, both ways with confidence, in one thread, "
            "mean over pairs",
            "{:.3g}",
        ),
        _peak_mib(
            "the process (interpreter, libraries and model included) during a pair, the largest "
            "over pairs"
        ),
    ),
    "flow-time": (
        _cost(
            "cpu_s_least_of_runs",
            "CPU s",
            "processor seconds for one generated pair, both ways with confidence, in one thread, "
            "the least of several runs",
            "{:.3g}",
        ),
        _cost(
            "ratio_to_reference",
            "ratio",
            "the same divided by that of the reference model",
            "{:.3g}",
        ),
        _peak_mib("the process during these runs"),
    ),
    "trajectory": (
        *_benched((*TRAJECTORY_METRICS, *PART_METRICS)),
        _cost(
            "cpu_s_to_poses",
            "CPU s",
            "processor seconds of the stages frames, flow and pose, as recorded when each ran",
        ),
    ),
    "depth": (
        *_benched((*DEPTH_METRICS, *SCALE_METRICS)),
        _cost(
            "cpu_s_per_map",
            "CPU s/map",
            "processor seconds of the stages depth and fusion, as recorded when they ran, by map",
            "{:.3g}",
        ),
        _peak_mib("a process in the stages depth and fusion"),
    ),
    "surface": (
        *_benched(SURFACE_METRICS),
        _cost(
            "cpu_s_surface",
            "CPU s",
            "processor seconds of the stage surface, as recorded when it ran",
        ),
        _peak_mib("a process in the stage surface"),
    ),
    "pipeline": (
        _cost("cpu_s_all_stages", "CPU s", "processor seconds of all stages, as recorded"),
        _cost("wall_s_all_stages", "wall s", "elapsed seconds of all stages, as recorded"),
        _peak_mib("a process"),
        *_benched(IMAGE_METRICS),
    ),
}
