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
from mvrecon.geometry.transfer import FloatMap
from mvrecon.multiview.consensus import find_consensus
from stages.depth.learned.start import Start

# How far the start was moved, and what agrees with it and what does not.
AGREEMENT_CUES = 4
# Relative difference of depth at which agreement ends; the network is trained with it.
TOLERANCE = 0.03


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
