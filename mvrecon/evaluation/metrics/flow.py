"""Errors of optical flow. Names say how they aggregate; lower is better for all of them.

Two published customs disagree: RAFT's KITTI end-point error is a mean of the images' means
while its Fl-all pools the pixels of all images, and some print the share of pixels below
1 px, others the share above. Here both means have names of their own, every share is that of
the wrong pixels, and every share pools pixels.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from mvrecon.evaluation.metrics.metric import Metric

Mask = NDArray[np.bool_]

KITTI_OUTLIER_PX = 3.0
KITTI_OUTLIER_SHARE = 0.05
# Sintel's speeds: below the first, up to the second, above it.
SPEEDS_PX = (10.0, 40.0)
ALL = "all"
# This region alone may hold pixels that are not valid.
WITH_INVALID = "with_invalid"


def end_point_error(
    flow_hw2: NDArray[np.floating], truth_hw2: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Distance in pixels between estimated and true flow vectors, per pixel (h, w)."""
    return np.asarray(np.linalg.norm(flow_hw2.astype(np.float64) - truth_hw2, axis=-1))


@dataclass(frozen=True)
class FlowErrors:
    """Errors of one image, over its valid pixels or a region of them.

    Attributes:
        pixels: number of valid pixels.
        epe_sum_px: sum of the end-point errors.
        outliers: pixels wrong by KITTI's definition, over 3 px and over 5 % of the truth.
        over_1px, over_3px, over_5px: pixels whose error exceeds so much.
    """

    pixels: int
    epe_sum_px: float
    outliers: int
    over_1px: int
    over_3px: int
    over_5px: int


def flow_errors(
    flow_hw2: NDArray[np.floating],
    truth_hw2: NDArray[np.floating],
    valid_hw: Mask,
) -> FlowErrors:
    """Errors of one image.

    Raises:
        ValueError: the shapes differ or no pixel is valid.
    """
    if flow_hw2.shape != truth_hw2.shape:
        raise ValueError(f"flow is {flow_hw2.shape}, ground truth {truth_hw2.shape}")
    if not valid_hw.any():
        raise ValueError("the ground truth has no valid pixel")
    error_n = end_point_error(flow_hw2, truth_hw2)[valid_hw]
    truth_n = np.linalg.norm(truth_hw2[valid_hw].astype(np.float64), axis=-1)
    outlier_n = (error_n > KITTI_OUTLIER_PX) & (error_n > KITTI_OUTLIER_SHARE * truth_n)
    over = (int((error_n > limit_px).sum()) for limit_px in (1, 3, 5))
    return FlowErrors(error_n.size, float(error_n.sum()), int(outlier_n.sum()), *over)


def regional_errors(
    flow_hw2: NDArray[np.floating],
    truth_hw2: NDArray[np.floating],
    valid_hw: Mask,
    regions: Mapping[str, Mask],
) -> dict[str, FlowErrors]:
    """Errors of one image by region; regions without a valid pixel are left out.

    Args:
        flow_hw2: estimate.
        truth_hw2: ground truth.
        valid_hw: where it is known.
        regions: masks by name, for example visible and occluded pixels.

    Returns:
        `all` valid pixels, the speeds `s0-10`, `s10-40` and `s40+` (px per frame, 10 and 40
        belong to the middle one, as in Sintel's evaluation), and the given regions.

    Raises:
        ValueError: the shapes differ or no pixel is valid.
    """
    speed_hw = np.linalg.norm(truth_hw2.astype(np.float64), axis=-1)
    slow_px, fast_px = SPEEDS_PX
    slow_hw, fast_hw = speed_hw < slow_px, speed_hw > fast_px
    masks = {
        ALL: valid_hw,
        "s0-10": slow_hw & valid_hw,
        "s10-40": ~slow_hw & ~fast_hw & valid_hw,
        "s40+": fast_hw & valid_hw,
    }
    for name, region_hw in regions.items():
        masks[name] = region_hw if name == WITH_INVALID else region_hw & valid_hw
    return {
        name: flow_errors(flow_hw2, truth_hw2, mask_hw)
        for name, mask_hw in masks.items()
        if name == ALL or mask_hw.any()
    }


def epe_mean_over_pixels_px(images: Sequence[FlowErrors]) -> float:
    """End-point error over the pixels of all images: large images weigh more."""
    return sum(image.epe_sum_px for image in images) / sum(image.pixels for image in images)


def epe_mean_over_images_px(images: Sequence[FlowErrors]) -> float:
    """Mean of the images' end-point errors, as RAFT reports KITTI's."""
    return float(np.mean([image.epe_sum_px / image.pixels for image in images]))


def share_over_pixels(images: Sequence[FlowErrors], wrong: str) -> float:
    """Share 0…1 among the pixels of all images of those that a field of `FlowErrors` counts.

    Args:
        images: the errors of each.
        wrong: the field: `outliers` for KITTI's Fl-all, `over_1px`, `over_3px` or `over_5px`.
    """
    wrong_pixels: int = sum(getattr(image, wrong) for image in images)
    return wrong_pixels / sum(image.pixels for image in images)


def sparsification_epe_px(
    error_n: NDArray[np.floating],
    confidence_n: NDArray[np.floating],
    dropped_shares: Sequence[float],
) -> list[float]:
    """Mean end-point error after dropping the least confident pixels.

    Ties in confidence keep the pixels' order. A confidence equal to the negated error gives
    the lower bound (the oracle of Ilg et al., "Uncertainty Estimates and Multi-Hypotheses
    Networks for Optical Flow", ECCV 2018).

    Args:
        error_n: end-point errors in pixels, over all the pixels that count.
        confidence_n: higher is more certain.
        dropped_shares: each at least 0 and below 1.

    Returns:
        One mean for each share.
    """
    sorted_n = error_n[np.argsort(-confidence_n, kind="stable")]
    kept = [max(round(sorted_n.size * (1 - share)), 1) for share in dropped_shares]
    return [float(sorted_n[:count].mean()) for count in kept]


@dataclass(frozen=True)
class FlowMetric(Metric):
    """A metric that aggregates the errors of images.

    Attributes:
        region: that it speaks of.
        aggregate: from the images' errors in that region to the figure.
    """

    region: str = ALL
    aggregate: Callable[[Sequence[FlowErrors]], float] = epe_mean_over_pixels_px


def _epe(name: str, region: str, heading: str, which: str) -> FlowMetric:
    return FlowMetric(
        f"epe_{name}_over_pixels_px",
        heading,
        f"end-point error, mean over the pixels of all images {which}, px",
        main=False,
        region=region,
    )


def _share(
    name: str, wrong: str, heading: str, meaning: str, *, main: bool = False, region: str = ALL
) -> FlowMetric:
    return FlowMetric(
        f"{name}_over_pixels",
        heading,
        f"share of the pixels of all images {meaning}",
        form="{:.1%}",
        main=main,
        region=region,
        aggregate=partial(share_over_pixels, wrong=wrong),
    )


FLOW_METRICS: tuple[Metric, ...] = (
    FlowMetric(
        "epe_mean_over_pixels_px",
        "EPE, pixels",
        "end-point error, mean over the valid pixels of all images: large images weigh more, px",
    ),
    FlowMetric(
        "epe_mean_over_images_px",
        "EPE, images",
        "end-point error, mean of the images' means (RAFT's custom on KITTI), px",
        aggregate=epe_mean_over_images_px,
    ),
    _share(
        "fl_all",
        "outliers",
        "Fl-all",
        "wrong by over 3 px and over 5 % of the true flow",
        main=True,
    ),
    _share(
        "fl_bg", "outliers", "Fl-bg", "of the background wrong in this sense", region="background"
    ),
    _share(
        "fl_fg", "outliers", "Fl-fg", "of moving objects wrong in this sense", region="foreground"
    ),
    _share("over_1px", "over_1px", "> 1 px", "whose error is above 1 px", main=True),
    _share("over_3px", "over_3px", "> 3 px", "whose error is above 3 px"),
    _share("over_5px", "over_5px", "> 5 px", "whose error is above 5 px"),
    _epe("visible", "visible", "EPE visible", "that are visible in the second image"),
    _epe("occluded", "occluded", "EPE occluded", "that are hidden or outside in the second image"),
    _epe("s0_10", "s0-10", "EPE s0-10", "that move by less than 10 px"),
    _epe("s10_40", "s10-40", "EPE s10-40", "that move by 10 to 40 px"),
    _epe("s40_plus", "s40+", "EPE s40+", "that move by more than 40 px"),
    _epe(
        "with_invalid",
        WITH_INVALID,
        "EPE with invalid",
        "those included that the data set marks invalid (RAFT's custom on Sintel)",
    ),
    Metric(
        "epe_surest_80_over_images_px",
        "EPE surest 80 %",
        "end-point error when each image's least confident 20 % are dropped, mean of the "
        "images' means, px",
    ),
    Metric(
        "epe_surest_50_over_images_px",
        "EPE surest 50 %",
        "the same with the least confident 50 % dropped, px",
        main=False,
    ),
    Metric(
        "epe_best_80_over_images_px",
        "EPE best 80 %",
        "the same with the 20 % of largest error dropped: what a perfect confidence would give, px",
        main=False,
    ),
)
