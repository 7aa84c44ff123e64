"""Depth of one view: plane sweep, semi-global aggregation, refinement at full resolution."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from mvrecon.geometry.transfer import FloatMap
from stages.depth.config import SweepOptions
from stages.depth.sweep.confidence import Evidence, confidence_of
from stages.depth.sweep.flow_prior import DepthPrior
from stages.depth.sweep.hypotheses import sweep_inverse_depths
from stages.depth.sweep.matching import surface_costs, sweep_costs, texture_variance
from stages.depth.sweep.semi_global import aggregate, ambiguity, best_hypothesis
from stages.depth.sweep.upsampling import upsample_by_color
from stages.depth.views import View, pyramid_levels, transfer_between

# Distance from the prior, beside its deviation, at which disagreement costs most.
PRIOR_REACH_STEPS = 6.0
# Costs (sums over eight paths) so near the least speak for another depth.
AMBIGUITY_MARGIN = 100

# Finer than the sweep's: the surface is nearly right, so small windows do.
REFINEMENT_WINDOW_PX = 5
# Penalties as of the sweep; its jumps are kept, so further ones are small.
REFINEMENT_SMALL_PENALTY = 8
REFINEMENT_LARGE_PENALTY = 60
# Bilateral filtering; wide enough for the ripples that windows leave.
SMOOTHING_ROUNDS = 2
SMOOTHING_SIGMA_PX = 3.0
# Each round tries offsets of so many sweep steps, −3…3 times.
REFINEMENT_STEPS = (0.5, 0.2)
OFFSETS = np.arange(-3, 4)
# Where the images cannot tell, the surface stays where it is.
OFFSET_COST = 2


@dataclass(frozen=True)
class SweptDepth:
    """Depth of a view.

    Attributes:
        inverse_depth_hw: float32, above 0 everywhere.
        confidence_hw: float32, 0…1: probability that the depth is right to 5 %.
    """

    inverse_depth_hw: FloatMap
    confidence_hw: FloatMap

    def resized(self, gray_hw: FloatMap, wanted_gray_hw: FloatMap) -> SweptDepth:
        """The same at another size, given the image at both sizes."""
        size_wh = wanted_gray_hw.shape[::-1]
        confidence_hw = cv2.resize(self.confidence_hw, size_wh, interpolation=cv2.INTER_LINEAR)
        return SweptDepth(
            upsample_by_color(self.inverse_depth_hw, gray_hw, wanted_gray_hw),
            np.clip(confidence_hw, 0.0, 1.0).astype(np.float32),
        )


def sweep_depth(
    view: View,
    neighbors: Sequence[View],
    bounds: tuple[float, float],
    prior: DepthPrior | None,
    options: SweepOptions,
) -> SweptDepth:
    """Measure the depth of a view from its neighbours.

    Args:
        view: at the resolution wanted.
        neighbors: at least one, of about the same resolution.
        bounds: smallest and largest inverse depth.
        prior: at the resolution of `sweep_camera(view.camera)`, or None.
        options: memory is proportional to their bound on the depths tried for a pixel.
    """
    pyramid = [[view, *neighbors]]
    for _ in range(pyramid_levels(view.camera)):
        pyramid.append([level_view.halved() for level_view in pyramid[-1]])
    coarse = coarse_sweep(pyramid[-1][0], pyramid[-1][1:], bounds, prior, options)
    surface_hw, step = coarse.inverse_depth_hw, coarse.step
    for (fine_view, *fine_neighbors), (coarse_view, *_) in zip(
        pyramid[-2::-1], pyramid[:0:-1], strict=True
    ):
        surface_hw = upsample_by_color(surface_hw, coarse_view.gray_hw, fine_view.gray_hw)
        for fraction in REFINEMENT_STEPS:
            surface_hw = np.maximum(surface_hw, np.float32(0.5 * bounds[0]))
            surface_hw = refine_surface(fine_view, fine_neighbors, surface_hw, fraction * step)
        step *= 0.5
    surface_hw = np.maximum(smooth_surface(surface_hw, coarse.step), np.float32(0.5 * bounds[0]))
    size_wh = (view.camera.width, view.camera.height)
    evidence = evidence_of(coarse, pyramid[-1][0], prior, options.window_px)
    confidence_hw = cv2.resize(confidence_of(evidence), size_wh, interpolation=cv2.INTER_LINEAR)
    return SweptDepth(surface_hw, np.clip(confidence_hw, 0.0, 1.0))


@dataclass(frozen=True)
class CoarseSweep:
    """Cost volumes of a sweep, and the cheapest surface in them.

    Attributes:
        inverse_depths: of the planes, evenly spaced.
        costs_hdw: matching costs alone, 0…127.
        total_hdw: after aggregation with the prior.
        index_hw: cheapest plane of each pixel.
        inverse_depth_hw: float32, between the planes.
    """

    inverse_depths: NDArray[np.float64]
    costs_hdw: NDArray[np.uint8]
    total_hdw: NDArray[np.int16]
    index_hw: NDArray[np.int16]
    inverse_depth_hw: FloatMap

    @property
    def step(self) -> float:
        """Between two planes."""
        return float(self.inverse_depths[1] - self.inverse_depths[0])

    def match_cost_hw(self) -> FloatMap:
        """Matching cost of the surface, 0…1."""
        cost_hw = np.take_along_axis(self.costs_hdw, self.index_hw[:, None], 1)[:, 0]
        return cost_hw.astype(np.float32) / np.float32(127)


def coarse_sweep(
    view: View,
    neighbors: Sequence[View],
    bounds: tuple[float, float],
    prior: DepthPrior | None,
    options: SweepOptions,
) -> CoarseSweep:
    """Sweep planes at the views' own resolution; arguments as of `sweep_depth`."""
    transfers = [transfer_between(view, neighbor) for neighbor in neighbors]
    height, width = view.gray_hw.shape
    inverse_depths = sweep_inverse_depths(bounds, transfers, width, height, options.max_hypotheses)
    step = float(inverse_depths[1] - inverse_depths[0])
    costs_hdw = sweep_costs(view, neighbors, transfers, inverse_depths, options.window_px)
    matched_hdw = costs_hdw
    if prior is not None:
        matched_hdw = _with_prior(costs_hdw, inverse_depths, prior, options.prior_cost)
    total_hdw = aggregate(matched_hdw, view.gray_hw, options.small_penalty, options.large_penalty)
    index_hw, position_hw = best_hypothesis(total_hdw)
    inverse_depth_hw = (inverse_depths[0] + position_hw * step).astype(np.float32)
    return CoarseSweep(inverse_depths, costs_hdw, total_hdw, index_hw, inverse_depth_hw)


def evidence_of(
    swept: CoarseSweep, view: View, prior: DepthPrior | None, window_px: int
) -> Evidence:
    """What speaks for and against the surface of a sweep with windows of that side."""
    inverse_depth_hw = swept.inverse_depth_hw
    nothing_hw = np.zeros_like(inverse_depth_hw)
    return Evidence(
        match_cost_hw=swept.match_cost_hw(),
        ambiguity_hw=ambiguity(swept.total_hdw, AMBIGUITY_MARGIN),
        texture_hw=texture_variance(view.gray_hw, window_px),
        relative_step_hw=np.float32(swept.step) / inverse_depth_hw,
        flow_miss_hw=nothing_hw if prior is None else _miss_of_prior(inverse_depth_hw, prior),
        flow_weight_hw=nothing_hw if prior is None else prior.weight_hw,
    )


def _with_prior(
    costs_hdw: NDArray[np.uint8],
    inverse_depths: NDArray[np.float64],
    prior: DepthPrior,
    prior_cost: int,
) -> NDArray[np.uint8]:
    """Add the prior as a truncated linear cost."""
    step = inverse_depths[1] - inverse_depths[0]
    reach_hw = np.float32(PRIOR_REACH_STEPS * step) + 2 * prior.deviation_hw
    slope_hw = prior_cost * prior.weight_hw / reach_hw
    limit_hw = prior_cost * prior.weight_hw
    sum_hdw = np.empty_like(costs_hdw)
    for row, inverse_depth in enumerate(inverse_depths):
        penalty_hw = np.abs(prior.inverse_depth_hw - np.float32(inverse_depth))
        penalty_hw *= slope_hw
        np.minimum(penalty_hw, limit_hw, out=penalty_hw)
        np.add(costs_hdw[:, row], penalty_hw.astype(np.uint8), out=sum_hdw[:, row])
    return sum_hdw


def _miss_of_prior(inverse_depth_hw: FloatMap, prior: DepthPrior) -> FloatMap:
    """Relative difference to the prior."""
    return np.asarray(np.abs(prior.inverse_depth_hw - inverse_depth_hw) / inverse_depth_hw)


def refine_surface(
    view: View, neighbors: Sequence[View], surface_hw: FloatMap, step: float
) -> FloatMap:
    """Best surface among those parallel to the given one, pixel by pixel.

    Args:
        view: at the resolution of the surface.
        neighbors: of about that resolution.
        surface_hw: inverse depth, above 0.
        step: between two of the surfaces tried, in inverse depth.
    """
    transfers = [transfer_between(view, neighbor) for neighbor in neighbors]
    costs_hdw = surface_costs(
        view,
        neighbors,
        transfers,
        surface_hw=surface_hw,
        offsets=OFFSETS * np.float64(step),
        window_px=REFINEMENT_WINDOW_PX,
    )
    costs_hdw += (OFFSET_COST * np.abs(OFFSETS)).astype(np.uint8)[:, None]
    total_hdw = aggregate(
        costs_hdw, view.gray_hw, REFINEMENT_SMALL_PENALTY, REFINEMENT_LARGE_PENALTY
    )
    _, position_hw = best_hypothesis(total_hdw)
    return np.asarray(surface_hw + (position_hw + OFFSETS[0]) * step, dtype=np.float32)


def smooth_surface(surface_hw: FloatMap, step: float) -> FloatMap:
    """Remove ripples below a step; a bilateral filter leaves planes and edges as they are."""
    for _ in range(SMOOTHING_ROUNDS):
        surface_hw = np.asarray(
            cv2.bilateralFilter(surface_hw, 9, step, SMOOTHING_SIGMA_PX), np.float32
        )
    return surface_hw
