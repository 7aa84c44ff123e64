"""Agreement of several depth maps in one view.

After Merrell et al., "Real-Time Visibility-Based Fusion of Depth Maps", ICCV 2007.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mvrecon.artifacts.depth import DepthMap, inverted
from mvrecon.geometry.transfer import FloatMap
from mvrecon.multiview.agreement import Agreement, confidence_of
from mvrecon.multiview.reprojection import (
    SeenDepth,
    free_space_violations,
    own_depth,
    see_from,
)

# Weight of a contradiction against that of an agreement, when candidates are compared.
CONTRADICTION_WEIGHT = 0.5
# Votes reach farther than averaging does, so that noisy maps still find a majority.
VOTING_REACH = 2.0
# Added to the view's own candidate: where nothing is agreed on, it is at least smooth.
OWN_ADVANTAGE = 0.3
# Confidence that depth without any evidence still counts with.
LEAST_CONFIDENCE = 0.02
# Of mean shift; the second round leaves out what the first moved away from.
AVERAGING_ROUNDS = 2


@dataclass(frozen=True)
class Consensus:
    """What the maps around a view agree on, all (h, w) float32; inverse depth 0 = none.

    Attributes:
        inverse_depth_hw: with the most support.
        runner_up_hw: inverse depth with the most support among those that disagree with it.
        agreement: how the maps relate to the first.
    """

    inverse_depth_hw: FloatMap
    runner_up_hw: FloatMap
    agreement: Agreement

    def as_map(self, view: DepthMap) -> DepthMap:
        """Depth with its confidence, in the camera of `view`."""
        has_hw = self.inverse_depth_hw > 0
        confidence_hw = np.where(has_hw, confidence_of(self.agreement), np.float32(0))
        depth_hw = inverted(self.inverse_depth_hw)
        return DepthMap(depth_hw, confidence_hw, view.k_33, view.world_from_cam)


def fuse(view: DepthMap, others: Sequence[DepthMap], tolerance: float) -> DepthMap:
    """Depth of a view that its own map and those of its neighbours agree on best."""
    return find_consensus(view, others, tolerance).as_map(view)


def find_consensus(view: DepthMap, others: Sequence[DepthMap], tolerance: float) -> Consensus:
    """What a view's own map and those of its neighbours agree on best.

    For each pixel every map offers a candidate; the one with the most support, less what
    contradicts it, is averaged with those that agree with it, in inverse depth.

    Args:
        view: the view's own map.
        others: maps of neighbouring views.
        tolerance: relative difference of depth at which agreement ends.
    """
    candidates = [own_depth(view), *(see_from(view, other) for other in others)]
    candidates = [_with_least_confidence(candidate) for candidate in candidates]
    scores = _support(candidates, VOTING_REACH * tolerance)
    chosen_hw = _best(candidates, scores)
    runner_up_hw = _runner_up(candidates, scores, chosen_hw, VOTING_REACH * tolerance)
    for _ in range(AVERAGING_ROUNDS):
        chosen_hw = _average_of_agreeing(candidates, chosen_hw, tolerance)
    violations = [free_space_violations(view, chosen_hw, other, tolerance) for other in others]
    agreement = _measure(candidates, chosen_hw, tolerance, violations)
    return Consensus(chosen_hw, runner_up_hw, agreement)


def _with_least_confidence(candidate: SeenDepth) -> SeenDepth:
    has_hw = candidate.inverse_depth_hw > 0
    confidence_hw = np.maximum(candidate.confidence_hw, np.float32(LEAST_CONFIDENCE))
    return SeenDepth(candidate.inverse_depth_hw, np.where(has_hw, confidence_hw, np.float32(0)))


def _kernel(inverse_depth_hw: FloatMap, center_hw: FloatMap, tolerance: float) -> FloatMap:
    """1 where equal, falling to 0 at the tolerance."""
    difference_hw = np.abs(inverse_depth_hw - center_hw)
    difference_hw /= np.maximum(center_hw, np.float32(1e-12)) * np.float32(tolerance)
    return np.asarray(np.maximum(1.0 - difference_hw, 0.0))


def _support(candidates: Sequence[SeenDepth], tolerance: float) -> list[FloatMap]:
    """Votes for each candidate less those against it, −∞ where it has no depth.

    The first candidate is the view's own.
    """
    scores = []
    for candidate in candidates:
        center_hw = candidate.inverse_depth_hw
        score_hw = np.zeros_like(center_hw)
        for voter in candidates:
            score_hw += voter.confidence_hw * _kernel(voter.inverse_depth_hw, center_hw, tolerance)
            # A surface in front of the candidate would hide it from this view.
            hidden_hw = voter.inverse_depth_hw > center_hw * np.float32(1.0 + tolerance)
            score_hw -= np.float32(CONTRADICTION_WEIGHT) * voter.confidence_hw * hidden_hw
        if candidate is candidates[0]:
            score_hw += np.float32(OWN_ADVANTAGE)
        scores.append(np.where(center_hw > 0, score_hw, -np.float32(np.inf)))
    return scores


def _best(candidates: Sequence[SeenDepth], scores: Sequence[FloatMap]) -> FloatMap:
    """Inverse depth of the candidate with the highest score, 0 if all are −∞."""
    best_hw = np.zeros_like(candidates[0].inverse_depth_hw)
    best_score_hw = np.full_like(best_hw, -np.inf)
    for candidate, score_hw in zip(candidates, scores, strict=True):
        better_hw = score_hw > best_score_hw
        np.copyto(best_hw, candidate.inverse_depth_hw, where=better_hw)
        np.copyto(best_score_hw, score_hw, where=better_hw)
    return best_hw


def _runner_up(
    candidates: Sequence[SeenDepth],
    scores: Sequence[FloatMap],
    chosen_hw: FloatMap,
    tolerance: float,
) -> FloatMap:
    """The best of the candidates that are another surface than the chosen one, 0 if none."""
    apart_hw = np.float32(tolerance) * chosen_hw
    others = [
        np.where(
            np.abs(candidate.inverse_depth_hw - chosen_hw) > apart_hw, score_hw, -np.float32(np.inf)
        )
        for candidate, score_hw in zip(candidates, scores, strict=True)
    ]
    return _best(candidates, others)


def _average_of_agreeing(
    candidates: Sequence[SeenDepth], center_hw: FloatMap, tolerance: float
) -> FloatMap:
    """Mean inverse depth, weighted by confidence and nearness (a step of mean shift)."""
    weight_hw = np.full_like(center_hw, 1e-6)
    total_hw = weight_hw * center_hw
    for candidate in candidates:
        share_hw = _kernel(candidate.inverse_depth_hw, center_hw, tolerance)
        share_hw *= candidate.confidence_hw
        weight_hw += share_hw
        share_hw *= candidate.inverse_depth_hw
        total_hw += share_hw
    return np.asarray(total_hw / weight_hw)


def _measure(
    candidates: Sequence[SeenDepth],
    chosen_hw: FloatMap,
    tolerance: float,
    violations: Sequence[FloatMap],
) -> Agreement:
    shares = [
        candidate.confidence_hw * _kernel(candidate.inverse_depth_hw, chosen_hw, tolerance)
        for candidate in candidates
    ]
    hiding = [
        candidate.confidence_hw
        * (candidate.inverse_depth_hw > chosen_hw * np.float32(1.0 + tolerance))
        for candidate in candidates
    ]
    return Agreement(
        own_hw=shares[0],
        support_hw=_sum(shares[1:], chosen_hw),
        contradiction_hw=_sum(hiding, chosen_hw) + _sum(violations, chosen_hw),
    )


def _sum(maps: Sequence[FloatMap], like_hw: FloatMap) -> FloatMap:
    total_hw = np.zeros_like(like_hw)
    for values_hw in maps:
        total_hw += values_hw
    return total_hw
