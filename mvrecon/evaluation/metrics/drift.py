"""Drift along a path: errors that grow from part to part, and the scale that changes on the way.

"Along the path" is by the length of the true path through the compared frames, in their order.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mvrecon.evaluation.metrics.metric import POSE_TOLERANCE, Metric
from mvrecon.geometry.similarity import align_similarity

FloatArray = NDArray[np.float64]

# Lengths of parts, the set's units: of a room in metres a step, a wall, a round.
PART_LENGTHS = (1, 5, 10)
# Fewer centres fit nearly any others after a Sim(3), which has 7 free numbers.
MIN_PART_POSES = 5
# One part tells nothing about the others.
MIN_PARTS = 2
# Two maps always lie on a line.
MIN_MAPS = 3


@dataclass(frozen=True)
class PartErrors:
    """ATE over parts of one length, each aligned by itself.

    Attributes:
        parts: number of parts; they overlap, one begins at each frame.
        ate_rmse: root of the mean over parts of the squared ATE RMSE of each, world units; not
            a number with fewer than `MIN_PARTS` parts.
    """

    parts: int
    ate_rmse: float


@dataclass(frozen=True)
class ScaleDrift:
    """How the scale of depth maps changes along the path.

    Attributes:
        maps: number of maps that have a scale.
        path_length: of the true path from the first of them to the last, world units.
        trend_percent: change of the fitted scale over `path_length`, in percent; positive if
            the estimate shrinks on the way, 0 is best.
        spread_percent: standard deviation over maps of the logarithm of the scale, after the
            trend is taken off, times 100; lower is better.
    """

    maps: int
    path_length: float
    trend_percent: float
    spread_percent: float


PART_METRICS = tuple(
    metric
    for length in PART_LENGTHS
    for metric in (
        Metric(
            f"ate_over_{length}",
            f"ATE over {length}",
            f"root of the mean of the squared ATE of all parts of length {length} (set's units) "
            "of the true path, one from each posed key frame, each after its own Sim(3) alignment",
            form="{:.3g}",
            main=False,
            tolerance=POSE_TOLERANCE,
        ),
        Metric(f"parts_of_{length}", "", "number of these parts", better=""),
    )
)

SCALE_METRICS = (
    Metric("maps", "", "depth maps whose scale is measured", better=""),
    Metric("path_length", "", "of the truth from the first to the last of them", better=""),
    Metric(
        "scale_trend_percent",
        "scale trend, %",
        "change along the path, from the first map to the last, of the median of truth / estimate "
        "(with the trajectory's one scale), by a robust line through its logarithm",
        better="zero",
        form="{:+.2f}",
        tolerance=POSE_TOLERANCE,
        field="trend_percent",
    ),
    Metric(
        "scale_spread_percent",
        "scale spread, %",
        "standard deviation over maps of the same from that line",
        tolerance=POSE_TOLERANCE,
        field="spread_percent",
    ),
)


def path_position(centres_n3: FloatArray) -> FloatArray:
    """Length (n,) of the path through camera centres from the first to each."""
    steps_n = np.linalg.norm(np.diff(centres_n3, axis=0), axis=1)
    return np.concatenate([[0.0], np.cumsum(steps_n)])


def ate_over_parts(estimate_n3: FloatArray, truth_n3: FloatArray, length: float) -> PartErrors:
    """ATE (Sturm et al., IROS 2012) over parts of a path; lower is better.

    A part begins at each frame and ends at the first that is `length` or more further along the
    true path, as KITTI's odometry has it (Geiger et al., CVPR 2012). Its centres are aligned by
    the Sim(3) with the least squared distance; if the estimated ones coincide, they err by their
    distance from the mean of the true ones. Parts of fewer than `MIN_PART_POSES` frames do not
    count.

    Args:
        estimate_n3: camera centres in order of time, in any world.
        truth_n3: of the same frames.
        length: of the parts, the truth's units.
    """
    position_n = path_position(truth_n3)
    ends = np.searchsorted(position_n, position_n + length)
    squared = []
    for begin, end in enumerate(ends[ends < len(truth_n3)]):
        part = slice(begin, end + 1)
        if end + 1 - begin >= MIN_PART_POSES:
            squared.append(_mean_squared_error(estimate_n3[part], truth_n3[part]))
    enough = len(squared) >= MIN_PARTS
    return PartErrors(len(squared), float(np.sqrt(np.mean(squared))) if enough else float("nan"))


def _mean_squared_error(estimate_n3: FloatArray, truth_n3: FloatArray) -> float:
    aligned_n3 = truth_n3.mean(0)
    if np.ptp(estimate_n3, axis=0).any():
        aligned_n3 = align_similarity(estimate_n3, truth_n3).apply(estimate_n3)
    return float(((aligned_n3 - truth_n3) ** 2).sum(1).mean())


def scale_drift(position_n: FloatArray, scale_n: FloatArray) -> ScaleDrift | None:
    """Trend and spread of the depth maps' scale along the path.

    The line through (position, log scale) is Theil and Sen's: its slope is the median over pairs
    of maps of the slope between the two (Sen, JASA 1968), so that single bad maps do not turn it.

    Args:
        position_n: along the true path, in order.
        scale_n: median of truth / estimate of each map, with one scale for all estimates; what
            is no positive number is left out.

    Returns:
        None with fewer than `MIN_MAPS` maps, or if all are at one place.
    """
    known_n = np.isfinite(scale_n) & (scale_n > 0)
    position_n, log_n = position_n[known_n], np.log(scale_n[known_n])
    first, second = np.triu_indices(len(log_n), 1)
    run_p = position_n[second] - position_n[first]
    moved_p = run_p > 0
    if len(log_n) < MIN_MAPS or not moved_p.any():
        return None
    slope = float(np.median((log_n[second] - log_n[first])[moved_p] / run_p[moved_p]))
    path_length = float(position_n[-1] - position_n[0])
    return ScaleDrift(
        maps=len(log_n),
        path_length=path_length,
        trend_percent=100 * float(np.expm1(slope * path_length)),
        spread_percent=100 * float(np.std(log_n - slope * position_n)),
    )


def part_figures(errors: Mapping[int, PartErrors]) -> dict[str, float]:
    """The figures of `PART_METRICS` for each length that has enough parts."""
    figures: dict[str, float] = {}
    for length, of_length in errors.items():
        if of_length.parts >= MIN_PARTS:
            figures[f"ate_over_{length}"] = of_length.ate_rmse
            figures[f"parts_of_{length}"] = of_length.parts
    return figures
