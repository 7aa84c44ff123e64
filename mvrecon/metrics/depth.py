"""Errors of one depth map against ground truth, and their mean over images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]

CURVE_COVERAGES = (0.1, 0.25, 0.5, 0.75, 0.9, 1.0)
DELTA_RATIO = 1.25


@dataclass(frozen=True)
class DepthErrors:
    """Errors over the pixels that have both an estimate and a truth.

    Attributes:
        coverage: share of the pixels with a truth that have an estimate; higher is better.
        abs_rel: mean over pixels of |estimate − truth| / truth; lower is better.
        median_rel: median over pixels of the same; lower is better.
        rmse: root of the mean over pixels of the squared error, world units; lower is better.
        delta_125: share of pixels with max(estimate / truth, truth / estimate) < 1.25
            (Eigen et al., NeurIPS 2014); higher is better.
    """

    coverage: float
    abs_rel: float
    median_rel: float
    rmse: float
    delta_125: float


def depth_errors(estimate_hw: FloatArray, truth_hw: FloatArray) -> DepthErrors:
    """Compare depths that are in the same units; 0 means none in both.

    Without a common pixel the coverage is 0 and the rest is not a number.
    """
    known_hw = truth_hw > 0
    both_hw = known_hw & (estimate_hw > 0)
    if not both_hw.any():
        nothing = float("nan")
        return DepthErrors(0.0, nothing, nothing, nothing, nothing)
    estimate_n = estimate_hw[both_hw].astype(np.float64)
    truth_n = truth_hw[both_hw].astype(np.float64)
    relative_n = np.abs(estimate_n - truth_n) / truth_n
    ratio_n = np.maximum(estimate_n / truth_n, truth_n / estimate_n)
    return DepthErrors(
        coverage=float(both_hw.sum() / known_hw.sum()),
        abs_rel=float(relative_n.mean()),
        median_rel=float(np.median(relative_n)),
        rmse=float(np.sqrt(((estimate_n - truth_n) ** 2).mean())),
        delta_125=float((ratio_n < DELTA_RATIO).mean()),
    )


def median_scale(estimate_hw: FloatArray, truth_hw: FloatArray) -> float:
    """Factor for the estimate: median of truth / estimate over the common pixels.

    Not a number without a common pixel.
    """
    both_hw = (truth_hw > 0) & (estimate_hw > 0)
    if not both_hw.any():
        return float("nan")
    return float(np.median(truth_hw[both_hw] / estimate_hw[both_hw]))


def abs_rel_by_confidence(
    estimate_hw: FloatArray, confidence_hw: FloatArray, truth_hw: FloatArray
) -> dict[float, float]:
    """Precision against coverage: AbsRel of the most confident pixels; lower is better.

    Args:
        estimate_hw: depth in the truth's units, 0 = none.
        confidence_hw: higher is surer.
        truth_hw: depth, 0 = none.

    Returns:
        For each share in `CURVE_COVERAGES` of the pixels that have both depths, the mean
        over that many surest pixels of |estimate − truth| / truth.
    """
    both_hw = (truth_hw > 0) & (estimate_hw > 0)
    order_n = np.argsort(-confidence_hw[both_hw], kind="stable")
    relative_n = np.abs(estimate_hw[both_hw] / truth_hw[both_hw] - 1).astype(np.float64)[order_n]
    if relative_n.size == 0:
        return {share: float("nan") for share in CURVE_COVERAGES}
    counts = [max(1, round(share * relative_n.size)) for share in CURVE_COVERAGES]
    means = (float(relative_n[:count].mean()) for count in counts)
    return dict(zip(CURVE_COVERAGES, means, strict=True))


def mean_over_images(errors: Sequence[DepthErrors]) -> DepthErrors:
    """Mean over images of each error; an image without a common pixel counts in coverage only."""
    columns = {
        field.name: np.array([asdict(error)[field.name] for error in errors])
        for field in fields(DepthErrors)
    }
    return DepthErrors(**{name: finite_mean(column) for name, column in columns.items()})


def mean_curve(curves: Sequence[Mapping[float, float]]) -> dict[float, float]:
    """Mean over images of what `abs_rel_by_confidence` gives."""
    return {
        share: finite_mean(np.array([curve[share] for curve in curves]))
        for share in CURVE_COVERAGES
    }


def finite_mean(values_n: NDArray[np.float64]) -> float:
    """Mean of the values that are numbers; not a number if none is."""
    finite_n = values_n[np.isfinite(values_n)]
    return float(finite_n.mean()) if finite_n.size else float("nan")
