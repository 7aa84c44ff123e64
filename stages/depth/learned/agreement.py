"""What the starts of a view and of its neighbours agree on.

Each view's sweep errs elsewhere: what most of them see is a better start than any one, and
where they differ tells what is wrong (Merrell et al., "Real-Time Visibility-Based Fusion of
Depth Maps", ICCV 2007).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mvrecon.artifacts.depth import DepthMap
from mvrecon.multiview.consensus import find_consensus
from stages.depth.learned.start import Start
from stages.depth.views import FloatMap

AGREEMENT_CUES = 4
# Relative difference of depth at which agreement ends.
TOLERANCE = 0.03
# Added before the logarithm, in views.
LEAST_VOTES = 0.1


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
    """The start that the views agree on, with the cues of how far they do.

    Args:
        start: of the view, with the cues of its sweep.
        own: its `start_map`.
        others: those of its neighbours, none if there are none.
    """
    agreed_hw, cues_chw = agreed_start(own, others)
    cues_chw = np.concatenate([start.cues_chw, cues_chw])
    return replace(start, inverse_depth_hw=agreed_hw, cues_chw=cues_chw)


def agreed_start(own: DepthMap, others: Sequence[DepthMap]) -> tuple[FloatMap, NDArray[np.float32]]:
    """Inverse depth (h, w) with the most support, and `AGREEMENT_CUES` numbers of about −1…1."""
    consensus = find_consensus(own, others, TOLERANCE)
    agreement = consensus.agreement
    ratio_hw = consensus.inverse_depth_hw * own.depth_hw
    cues = [
        np.clip(np.log(ratio_hw), -1.0, 1.0),
        agreement.own_hw,
        np.log(agreement.support_hw + LEAST_VOTES) / 2.0,
        np.log(agreement.contradiction_hw + LEAST_VOTES) / 2.0,
    ]
    return consensus.inverse_depth_hw, np.stack([np.asarray(cue, np.float32) for cue in cues])
