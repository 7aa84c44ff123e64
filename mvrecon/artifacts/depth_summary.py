"""What is worth telling of a set of depth maps."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mvrecon.artifacts.depth import DepthMap, depth_item
from mvrecon.engine.stage import StageOutput, Summary

CONFIDENT = 0.5
LITTLE_COVERAGE = 0.2
NAMES_TOLD = 5


def summarize_depths(names: Sequence[str], items: StageOutput) -> Summary:
    """Numbers over the depth maps of the named key frames, and a warning for the poor ones.

    Numbers are medians over maps; depths and confidences are those of each map's median. What was
    completed counts as neither depth nor coverage; its share is told if anything was.
    """
    medians, confidences, coverages, completed = [], [], [], []
    for name in names:
        depth_map = DepthMap.load(items.path(depth_item(name)))
        has_depth = depth_map.depth_hw > 0
        confident = has_depth & (depth_map.confidence_hw > CONFIDENT)
        coverages.append(float(confident.mean()))
        confidences.append(float(depth_map.confidence_hw.mean()))
        if depth_map.completed_hw is not None:
            completed.append(float((depth_map.completed_hw > 0).mean()))
        if has_depth.any():
            medians.append(float(np.median(depth_map.depth_hw[has_depth])))
    poor = [
        name for name, coverage in zip(names, coverages, strict=True) if coverage < LITTLE_COVERAGE
    ]
    warnings = []
    if poor:
        told = ", ".join(poor[:NAMES_TOLD]) + (", …" if len(poor) > NAMES_TOLD else "")
        warnings.append(
            f"{len(poor)} of {len(names)} depth maps are trusted on less than "
            f"{LITTLE_COVERAGE:.0%} of their pixels ({told})"
        )
    return Summary(
        numbers={
            "maps": len(names),
            "median_depth": _rounded_median(medians),
            "median_confidence": _rounded_median(confidences),
            "confident_coverage": _rounded_median(coverages),
            "poor_maps": len(poor),
            **({"completed": _rounded_median(completed)} if completed else {}),
        },
        warnings=warnings,
    )


def _rounded_median(values: Sequence[float]) -> float:
    return round(float(np.median(values)), 4) if len(values) else 0.0
