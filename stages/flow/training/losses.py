"""What mvflow is trained on."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from stages.flow.models.mvflow.correlation import RADIUS
from stages.flow.models.mvflow.network import Matched, MvflowOutput, Step, at_centres, mixture_terms

# Weight of an update's loss over that of the next one's (RAFT has 0.8).
STEP_DECAY = 0.7
# Weights of the terms beside the robust error of the final flow.
MIXTURE_WEIGHT = 0.1
MATCH_WEIGHT = 0.3
WINDOW_WEIGHT = 0.1
# Of hidden pixels, over that of visible ones.
HIDDEN_WEIGHT = 0.7
ROBUST_POWER = 0.8
# Hidden points that move by more of the image's width do not count.
LARGEST_SHARE = 0.6
# One in so many cells at 1/4 and at 1/8 takes part in the matching loss.
MATCH_EVERY = (17, 3)


def supervised_loss(output: MvflowOutput, flow_b2hw: Tensor, visible_bhw: Tensor) -> Tensor:
    """Sequence loss (RAFT) + mixture-of-Laplace likelihood (SEA-RAFT) + matching.

    The likelihood trains the uncertainty alone: it sees the flow as given, so that easy
    pixels do not outweigh hard ones. Hidden points count less.
    """
    weight_bhw = torch.where(visible_bhw, 1.0, HIDDEN_WEIGHT)
    far_bhw = flow_b2hw.norm(dim=1) > LARGEST_SHARE * flow_b2hw.shape[-1]
    hopeless_bhw = far_bhw & ~visible_bhw
    weight_bhw = torch.where(hopeless_bhw, 0.0, weight_bhw)
    loss = weighted_mean(robust_error(output.flow_b2hw, flow_b2hw), weight_bhw)
    # Every other row and column is enough for the uncertainty, and far cheaper.
    found, mixture, truth = (
        part[..., ::2, ::2] for part in (output.flow_b2hw.detach(), output.mixture_b3hw, flow_b2hw)
    )
    likelihood = weighted_mean(mixture_loss(found, mixture, truth), weight_bhw[:, ::2, ::2])
    loss = loss + MIXTURE_WEIGHT * likelihood
    loss = loss + MATCH_WEIGHT * matching_loss(output.matched, flow_b2hw, visible_bhw)
    for age, step in enumerate(reversed(output.steps), start=1):
        truth = at_centres(flow_b2hw, step.stride)
        weight = at_centres(weight_bhw[:, None], step.stride)[:, 0]
        error = weighted_mean(robust_error(step.flow_b2hw * step.stride, truth), weight)
        seen = window_loss(step, truth, weight)
        loss = loss + STEP_DECAY**age * error + WINDOW_WEIGHT * seen
    return loss


def window_loss(step: Step, truth_b2hw: Tensor, weight_bhw: Tensor) -> Tensor:
    """Cross entropy of the local correlation with the true shift, where it is in the window."""
    shift = (truth_b2hw / step.stride - step.before_b2hw).round().long()
    inside = (shift.abs() <= RADIUS).all(1) & (weight_bhw > 0.9)
    column, row = (shift.clamp(-RADIUS, RADIUS) + RADIUS).unbind(1)
    target = row * (2 * RADIUS + 1) + column
    chosen = step.logits_bhwk.log_softmax(-1).gather(3, target[..., None])[..., 0]
    return -weighted_mean(chosen, inside.float())


def weighted_mean(values: Tensor, weights: Tensor) -> Tensor:
    """Mean of values under weights of the same shape."""
    return (values * weights).sum() / weights.sum().clamp(min=1e-6)


def endpoint_error(flow_b2hw: Tensor, truth_b2hw: Tensor) -> Tensor:
    """Euclidean error (b, h, w), smooth at zero."""
    return ((flow_b2hw - truth_b2hw).square().sum(1) + 1e-6).sqrt()


def robust_error(flow_b2hw: Tensor, truth_b2hw: Tensor) -> Tensor:
    """The endpoint error to a power below one: hopeless pixels pull less than close ones."""
    return (endpoint_error(flow_b2hw, truth_b2hw) + 0.01) ** ROBUST_POWER


def mixture_loss(flow_b2hw: Tensor, mixture_b3hw: Tensor, truth_b2hw: Tensor) -> Tensor:
    """Negative log likelihood (b, h, w) of the error under two Laplace distributions."""
    error = (flow_b2hw - truth_b2hw).abs().sum(1)
    logit, narrow, wide = mixture_terms(mixture_b3hw)
    parts = [
        F.logsigmoid(sign * logit) - 2.0 * (math.log(2.0) + scale) - error * torch.exp(-scale)
        for sign, scale in ((1.0, narrow), (-1.0, wide))
    ]
    return -torch.logaddexp(*parts)


def matching_loss(matched: Matched, flow_b2hw: Tensor, visible_bhw: Tensor) -> Tensor:
    """Cross entropies of global matches at 1/4 and 1/8 with the true cells, where seen."""
    loss = torch.zeros((), device=flow_b2hw.device)
    for first, second, every in zip(matched.first, matched.second, MATCH_EVERY, strict=True):
        height, width = first.shape[-2:]
        stride = flow_b2hw.shape[-1] // width
        flow = at_centres(flow_b2hw, stride) / stride
        seen = at_centres(visible_bhw[:, None].float(), stride)[:, 0] > 0.9
        x = torch.arange(width, device=flow.device) + flow[:, 0]
        y = torch.arange(height, device=flow.device)[:, None] + flow[:, 1]
        column, row = x.round().long(), y.round().long()
        inside = seen & (column >= 0) & (column < width) & (row >= 0) & (row < height)
        target = (row * width + column).clamp(0, height * width - 1).flatten(1)[:, ::every]
        queries = first.flatten(2).transpose(1, 2)[:, ::every]
        logits = matched.sharpness * torch.bmm(queries.float(), second.flatten(2).float())
        chosen = logits.log_softmax(-1).gather(2, target[..., None])[..., 0]
        loss = loss - weighted_mean(chosen, inside.flatten(1)[:, ::every].float())
    return loss
