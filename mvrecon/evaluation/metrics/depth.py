"""Errors of one depth map against ground truth, and their mean over images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields

import numpy as np
from numpy.typing import NDArray

from mvrecon.evaluation.metrics.metric import Metric

FloatArray = NDArray[np.float32]

CURVE_COVERAGES = (0.1, 0.25, 0.5, 0.75, 0.8, 0.9, 1.0)
COVERAGE_PERCENTS = tuple(round(100 * share) for share in CURVE_COVERAGES)
# The one in the first table.
MAIN_PERCENT = 80
DELTA_RATIO = 1.25
# Relative difference of true depths up to which two views see the same surface.
SAME_SURFACE = 0.02


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


DEPTH_METRICS = (
    Metric(
        "abs_rel_mean_over_images",
        "AbsRel",
        "|estimate − truth| / truth, mean over pixels, then over images; scaled by the trajectory",
        form="{:.4f}",
        field="abs_rel",
    ),
    Metric(
        "median_rel_mean_over_images",
        "median rel.",
        "median over pixels of the same, mean over images",
        form="{:.4f}",
        field="median_rel",
    ),
    Metric(
        "rmse_mean_over_images",
        "RMSE",
        "root of the mean over pixels of the squared error, mean over images, the set's units",
        form="{:.3g}",
        field="rmse",
    ),
    Metric(
        "delta_125_mean_over_images",
        "δ < 1.25",
        "share of pixels within a factor of 1.25 of the truth, mean over images",
        better="higher",
        form="{:.3f}",
        field="delta_125",
    ),
    Metric(
        "coverage_mean_over_images",
        "coverage",
        "share of the pixels with a truth that have an estimate, mean over images",
        better="higher",
        form="{:.3f}",
        field="coverage",
    ),
    Metric(
        "flicker",
        "flicker",
        "change of estimate / truth of a static point from one key frame to the next, mean over "
        "points, then over neighbours",
        form="{:.4f}",
    ),
    Metric(
        "abs_rel_median_scale",
        "AbsRel, own scale",
        "AbsRel with each map scaled by its median of truth / estimate, mean over images",
        form="{:.4f}",
        main=False,
    ),
    *(
        Metric(
            f"abs_rel_surest_{percent}",
            # Of all pixels it is the same as AbsRel.
            f"AbsRel surest {percent} %" if percent < 100 else "",
            f"AbsRel of the most confident {percent} % of each map's pixels, mean over images",
            form="{:.4f}",
            main=percent == MAIN_PERCENT,
            field=f"best {percent}%",
        )
        for percent in COVERAGE_PERCENTS
    ),
)


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


@dataclass(frozen=True)
class JudgedDepth:
    """An estimated depth map beside the true one of the same view.

    Attributes:
        estimate_hw: depth in the truth's units, 0 = none.
        truth_hw: true depth, 0 = unknown.
        k_33: calibration of both.
        world_from_cam: (4, 4) true pose.
    """

    estimate_hw: FloatArray
    truth_hw: FloatArray
    k_33: NDArray[np.float64]
    world_from_cam: NDArray[np.float64]


def temporal_flicker(first: JudgedDepth, second: JudgedDepth) -> float:
    """How much the depth of static points changes between two neighbouring views; lower is better.

    Each pixel of the first view is carried into the second by its true depth and the true
    poses, to the nearest pixel; it counts where the true depth there says that the same surface
    is seen (to 2 %) and both views have an estimate. The flicker is the mean over these points
    of |estimate₂ / truth₂ − estimate₁ / truth₁|: a scene estimated everywhere too far by the
    same factor does not flicker. Not a number without a common point.
    """
    y_n, x_n = np.nonzero((first.truth_hw > 0) & (first.estimate_hw > 0))
    truth_n = first.truth_hw[y_n, x_n].astype(np.float64)
    rays_n3 = np.column_stack([x_n, y_n, np.ones(len(x_n))]) @ np.linalg.inv(first.k_33).T
    second_from_first = np.linalg.inv(second.world_from_cam) @ first.world_from_cam
    points_n3 = rays_n3 * truth_n[:, None] @ second_from_first[:3, :3].T + second_from_first[:3, 3]
    in_front_n = points_n3[:, 2] > 0
    pixels_n3 = points_n3[in_front_n] @ second.k_33.T
    u_n, v_n = np.rint(pixels_n3[:, :2] / pixels_n3[:, 2:]).T
    height, width = second.truth_hw.shape
    inside_n = (u_n >= 0) & (u_n < width) & (v_n >= 0) & (v_n < height)
    kept = np.flatnonzero(in_front_n)[inside_n]
    u_n, v_n = u_n[inside_n].astype(np.intp), v_n[inside_n].astype(np.intp)
    there_n, found_n = second.truth_hw[v_n, u_n], second.estimate_hw[v_n, u_n]
    same_n = (np.abs(there_n / points_n3[kept, 2] - 1.0) < SAME_SURFACE) & (found_n > 0)
    if not same_n.any():
        return float("nan")
    before_n = first.estimate_hw[y_n, x_n][kept][same_n] / truth_n[kept][same_n]
    return float(np.abs(found_n[same_n] / there_n[same_n] - before_n).mean())
