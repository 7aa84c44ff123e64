"""What the learned depth starts from: a coarse sweep's surface, its statistics, its support."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mvrecon.artifacts.depth import DepthMap
from mvrecon.geometry.transfer import FloatMap
from mvrecon.multiview.consensus import find_consensus
from stages.depth.config import SweepOptions
from stages.depth.sweep.confidence import FLOW_AGREEMENT_SCALE, Evidence, confidence_of
from stages.depth.sweep.flow_prior import DepthPrior
from stages.depth.sweep.plane_sweep import CoarseSweep, coarse_sweep, evidence_of
from stages.depth.views import View, transfer_between

SWEEP_CUES = 12
# How far the start was moved, and what agrees with it and what does not.
AGREEMENT_CUES = 4
# Relative difference of depth at which agreement ends; the network is trained with it.
TOLERANCE = 0.03
# Hypotheses this near the best one are the same minimum.
SAME_MINIMUM = 2
# A second minimum that is dearer by all of a correlation on all eight paths is none.
FAR_COST = 8 * 127
# Fewer views and planes than the sweep's, for time: the network mends what they leave wrong.
SWEPT_VIEWS = 4
MAX_HYPOTHESES = 80


@dataclass(frozen=True)
class Start:
    """First surface of a view, at half the resolution of the depth wanted.

    Attributes:
        inverse_depth_hw: float32, above 0 everywhere.
        cues_chw: float32 in about −1…1, see `_cues`.
        step: distance in inverse depth that is about 1 px in the widest pair.
        confidence_hw: of the geometric method, 0…1.
    """

    inverse_depth_hw: FloatMap
    cues_chw: NDArray[np.float32]
    step: float
    confidence_hw: FloatMap


def measure_start(
    view: View,
    neighbors: Sequence[View],
    bounds: tuple[float, float],
    prior: DepthPrior | None,
    options: SweepOptions,
) -> Start:
    """Sweep a view at its own resolution.

    Args:
        view: at half the resolution of the depth wanted.
        neighbors: of that resolution, best first, at least one.
        bounds: smallest and largest inverse depth.
        prior: of the view's size, or None.
        options: of the sweep; it has `MAX_HYPOTHESES` planes at most.
    """
    planes = min(options.max_hypotheses, MAX_HYPOTHESES)
    options = options.model_copy(update={"max_hypotheses": planes})
    swept = coarse_sweep(view, neighbors[:SWEPT_VIEWS], bounds, prior, options)
    evidence = evidence_of(swept, view, prior, options.window_px)
    return Start(
        swept.inverse_depth_hw,
        _cues(swept, evidence, view, neighbors, prior),
        swept.step,
        np.clip(confidence_of(evidence), 0.0, 1.0),
    )


def _cues(
    swept: CoarseSweep,
    evidence: Evidence,
    view: View,
    neighbors: Sequence[View],
    prior: DepthPrior | None,
) -> NDArray[np.float32]:
    """What speaks for and against the start, and what else it could be, as numbers round 0."""
    inverse_depth_hw = swept.inverse_depth_hw
    second_cost_hw, second_hw = _second_minimum(swept)
    bare_hw = swept.costs_hdw.argmin(axis=1) - swept.index_hw
    flow_ratio_hw = np.zeros_like(inverse_depth_hw)
    if prior is not None:
        ratio_hw = np.maximum(prior.inverse_depth_hw, 1e-9) / inverse_depth_hw
        flow_ratio_hw = prior.weight_hw * np.clip(np.log(ratio_hw), -1.0, 1.0)
    agreement_hw = np.exp(evidence.flow_miss_hw / -FLOW_AGREEMENT_SCALE) * evidence.flow_weight_hw
    seen_hw = _seen(view, neighbors, inverse_depth_hw)
    cues = [
        evidence.match_cost_hw,
        np.log(evidence.ambiguity_hw + 0.01) / 4.0,
        np.log(evidence.texture_hw + 4.0) / 4.0 - 1.0,
        np.log(evidence.relative_step_hw) / 4.0 + 1.0,
        second_cost_hw,
        np.clip(np.log(second_hw / inverse_depth_hw), -1.0, 1.0),
        np.tanh(bare_hw / 4.0),
        evidence.flow_weight_hw,
        agreement_hw,
        flow_ratio_hw,
        seen_hw / len(neighbors),
        np.minimum(seen_hw, 2.0) - 1.0,
    ]
    return np.stack([np.asarray(cue, np.float32) for cue in cues])


def _second_minimum(swept: CoarseSweep) -> tuple[FloatMap, FloatMap]:
    """How much dearer the second minimum is (0…1), and its inverse depth."""
    others_hdw = swept.total_hdw.copy()
    best_hw = np.take_along_axis(others_hdw, swept.index_hw[:, None], 1)[:, 0]
    last = others_hdw.shape[1] - 1
    for step in range(-SAME_MINIMUM, SAME_MINIMUM + 1):
        same_hw = np.clip(swept.index_hw + step, 0, last)
        np.put_along_axis(others_hdw, same_hw[:, None], np.int16(2**14), 1)
    index_hw = others_hdw.argmin(axis=1)
    cost_hw = np.take_along_axis(others_hdw, index_hw[:, None], 1)[:, 0] - best_hw
    dearer_hw = np.clip(cost_hw.astype(np.float32) / FAR_COST, 0.0, 1.0)
    return np.sqrt(dearer_hw), swept.inverse_depths[index_hw].astype(np.float32)


def _seen(view: View, neighbors: Sequence[View], inverse_depth_hw: FloatMap) -> FloatMap:
    """In how many neighbours the surface falls."""
    count_hw = np.zeros_like(inverse_depth_hw)
    for neighbor in neighbors:
        x_hw, y_hw, w_hw = transfer_between(view, neighbor).project(inverse_depth_hw)
        camera = neighbor.camera
        inside_hw = (w_hw > 0) & (x_hw >= 0) & (y_hw >= 0)
        inside_hw &= (x_hw <= (camera.width - 1) * w_hw) & (y_hw <= (camera.height - 1) * w_hw)
        count_hw += inside_hw
    return count_hw


def start_map(
    inverse_depth_hw: FloatMap,
    confidence_hw: FloatMap,
    k_33: NDArray[np.float64],
    world_from_cam: NDArray[np.float64],
) -> DepthMap:
    """A start in the form that others look at it in."""
    depth_hw = np.float32(1) / inverse_depth_hw
    return DepthMap(depth_hw, confidence_hw, k_33, world_from_cam)


def with_agreement(start: Start, own: DepthMap, others: Sequence[DepthMap]) -> Start:
    """The start with the most support, and `AGREEMENT_CUES` more numbers of about −1…1 on that.

    Args:
        start: of the view, with the cues of its sweep.
        own: its `start_map`.
        others: those of its neighbours, none if there are none.
    """
    consensus = find_consensus(own, others, TOLERANCE)
    moved_hw = np.log(consensus.inverse_depth_hw * own.depth_hw).clip(-1.0, 1.0)
    cues = [start.cues_chw, moved_hw[None], consensus.agreement.cues_3hw()]
    return replace(
        start, inverse_depth_hw=consensus.inverse_depth_hw, cues_chw=np.concatenate(cues)
    )
