"""The benchmarks by name: their figures and their titles."""

from __future__ import annotations

from mvrecon.evaluation.bench.figures import Figure
from mvrecon.evaluation.bench.flow.figures import FLOW_FIGURES, FLOW_TIME_FIGURES
from mvrecon.evaluation.bench.posed.figures import (
    DEPTH_FIGURES,
    PIPELINE_FIGURES,
    SURFACE_FIGURES,
    TRAJECTORY_FIGURES,
)

FIGURES: dict[str, tuple[Figure, ...]] = {
    "flow": FLOW_FIGURES,
    "flow-time": FLOW_TIME_FIGURES,
    "trajectory": TRAJECTORY_FIGURES,
    "depth": DEPTH_FIGURES,
    "surface": SURFACE_FIGURES,
    "pipeline": PIPELINE_FIGURES,
}
TITLES = {
    "flow": "Optical flow",
    "flow-time": "Optical flow: processor time at 640×480",
    "trajectory": "Camera poses",
    "depth": "Depth",
    "surface": "Surface",
    "pipeline": "The whole pipeline",
}
