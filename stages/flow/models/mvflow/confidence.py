"""One calibrated confidence from what mvflow says of itself and from the way back.

Logistic regression on the network's own probability and the forward–backward miss, fitted
on held-out synthetic pairs whenever weights are exported, and stored with them.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from stages.flow.models.mvflow.correlation import warp
from stages.flow.models.mvflow.network import Mvflow, MvflowOutput, probability_within, stays_inside
from stages.flow.training.losses import endpoint_error
from stages.flow.training.validation import ValidationPairs

RIGHT_PX = 1.0
FIT_STEPS = 60
LARGEST_LOGIT = 7.0


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
    _, own_bhw, miss_bhw = _features(output, backward_b2hw)
    logit_bhw = calibration.offset + calibration.own * own_bhw + calibration.miss * miss_bhw
    return torch.where(stays_inside(output.flow_b2hw), torch.sigmoid(logit_bhw), 0.0)


def fit_calibration(network: Mvflow, pairs: ValidationPairs) -> Calibration:
    """Fit to the pixels of held-out pairs whose flow stays in the image."""
    batch = pairs.batch
    features, right = [], []
    with torch.inference_mode(), torch.autocast(batch.flow_b2hw.device.type, torch.bfloat16):
        for one in range(len(pairs.start_b2hw)):
            part = slice(one, one + 1)
            first, second = batch.first_b3hw[part], batch.second_b3hw[part]
            output = network(first, second, pairs.start_b2hw[part])
            back = network(second, first, pairs.back_start_b2hw[part])
            inside = stays_inside(output.flow_b2hw)
            error = endpoint_error(output.flow_b2hw, batch.flow_b2hw[part])
            features.append(_features(output, back.flow_b2hw)[:, inside])
            right.append((error < RIGHT_PX)[inside].float())
    return _regress(torch.cat(features, 1).clone(), torch.cat(right).clone())


def _features(output: MvflowOutput, backward_b2hw: Tensor) -> Tensor:
    """One, the logit of the network's probability, and the logarithm of the miss (3, b, h, w)."""
    own = probability_within(output.mixture_b3hw, RIGHT_PX).logit(1e-6)
    miss_b2hw = output.flow_b2hw + warp(backward_b2hw, output.flow_b2hw)
    miss = torch.hypot(*miss_b2hw.unbind(1))
    own = own.clamp(-LARGEST_LOGIT, LARGEST_LOGIT)
    return torch.stack([torch.ones_like(own), own, (miss + 0.05).log()])


def _regress(features_3n: Tensor, right_n: Tensor) -> Calibration:
    coefficients = torch.tensor(Calibration(), requires_grad=True)
    optimizer = torch.optim.LBFGS([coefficients], max_iter=FIT_STEPS, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimizer.zero_grad()
        value = torch.nn.functional.binary_cross_entropy_with_logits(
            coefficients @ features_3n, right_n
        )
        torch.autograd.backward(value)
        return value

    optimizer.step(loss)  # type: ignore[no-untyped-call]
    return Calibration(*coefficients.tolist())
