"""One calibrated confidence from what mvflow says of itself and from the way back.

Logistic regression on the network's own probability and the forward–backward miss; its
coefficients are stored with the weights.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from stages.flow.models.mvflow.network import MvflowOutput, probability_within
from stages.flow.models.warp import stays_inside, warp

# The confidence is the probability of an error below this.
RIGHT_PX = 1.0
# Odds beyond e⁷ : 1 count as that: single overconfident pixels must not sway the fit.
LARGEST_LOGIT = 7.0
# Keeps the logarithm of a miss of nothing finite; finer misses than this tell nothing.
SMALLEST_MISS_PX = 0.05


class Calibration(NamedTuple):
    """Coefficients of the logistic regression; the default trusts the network alone.

    Attributes:
        offset: added.
        own: times the logit of the network's probability.
        miss: times the logarithm of the forward–backward miss in pixels.
    """

    offset: float = 0.0
    own: float = 1.0
    miss: float = 0.0


def confidence(output: MvflowOutput, backward_b2hw: Tensor, calibration: Calibration) -> Tensor:
    """Probability (b, h, w) that the flow is right to a pixel; 0 where it leaves the image.

    Args:
        output: of the network, for the pairs.
        backward_b2hw: flow of the same pairs the other way.
        calibration: fitted coefficients.
    """
    _, own_bhw, miss_bhw = confidence_features(output, backward_b2hw)
    logit_bhw = calibration.offset + calibration.own * own_bhw + calibration.miss * miss_bhw
    return torch.where(stays_inside(output.flow_b2hw), torch.sigmoid(logit_bhw), 0.0)


def confidence_features(output: MvflowOutput, backward_b2hw: Tensor) -> Tensor:
    """One, the logit of the network's probability, and the logarithm of the miss (3, b, h, w)."""
    own = probability_within(output.mixture_b3hw, RIGHT_PX).logit(1e-6)
    miss_b2hw = output.flow_b2hw + warp(backward_b2hw, output.flow_b2hw)
    miss = torch.hypot(*miss_b2hw.unbind(1))
    own = own.clamp(-LARGEST_LOGIT, LARGEST_LOGIT)
    return torch.stack([torch.ones_like(own), own, (miss + SMALLEST_MISS_PX).log()])
