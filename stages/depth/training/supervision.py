"""What the depth network is trained to minimise."""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from stages.depth.learned.epipolar import FEATURE_STRIDE, OFFSETS
from stages.depth.learned.network import DepthNet, DepthNetOutput, mixture_terms
from stages.depth.training.samples import DepthSample

LEVEL_STRIDES = (32, 16, 8, 4)
STEP_DECAY = 0.7
LEVEL_WEIGHT = 0.25
GRADIENT_WEIGHT = 1.0
NORMAL_WEIGHT = 0.05
LIKELIHOOD_WEIGHT = 0.05
MATCH_WEIGHT = 0.05
SMOOTH_ERROR = 0.003
EDGE_RATIO = 0.05


def predict(network: DepthNet, sample: DepthSample) -> DepthNetOutput:
    """The network's output for the sample's views.

    Features learn from the views' side of the comparison alone: that of the neighbours is the
    same network, and its gradient costs as much as all the rest.
    """
    used, place_rv = torch.unique(sample.neighbors_rv, return_inverse=True)
    with torch.no_grad():
        encoded = network.encode(sample.images_t3hw[used])
    neighbors = [encoded.rows(rows) for rows in place_rv.T]
    view = network.encode(sample.images_t3hw[sample.rows_r])
    output: DepthNetOutput = network(
        view, neighbors, sample.epipolar, sample.start_r1hw, sample.cues_rchw
    )
    return output


def supervised(network: DepthNet, sample: DepthSample) -> tuple[Tensor, dict[str, float]]:
    """The loss, and the mean error of the logarithm of depth of result and start."""
    with torch.autocast(sample.start_r1hw.device.type, torch.bfloat16):
        output = predict(network, sample)
    known = torch.isfinite(sample.truth_rhw)
    truth = torch.where(known, sample.truth_rhw, 0.0) - output.scale_b.log()[:, None, None]
    loss = depth_loss(output, truth, known, sample)
    with torch.no_grad():
        error = masked_mean((output.log_b1hw[:, 0] - truth).abs(), known)
        start = F.interpolate(sample.start_r1hw, truth.shape[-2:], mode="nearest")[:, 0]
        start = (start / output.scale_b[:, None, None]).log()
        before = masked_mean((start - truth).abs(), known)
    return loss, {"log_error": float(error), "start_log_error": float(before)}


def depth_loss(
    output: DepthNetOutput, truth_bhw: Tensor, known_bhw: Tensor, sample: DepthSample
) -> Tensor:
    """Robust error of inverse depth at all steps, gradients, normals, likelihood, matching."""
    log = output.log_b1hw[:, 0]
    loss = masked_mean(robust(log - truth_bhw), known_bhw)
    loss = loss + GRADIENT_WEIGHT * gradient_loss(log, truth_bhw, known_bhw)
    loss = loss + NORMAL_WEIGHT * normal_loss(log, truth_bhw, known_bhw, sample)
    likelihood = mixture_loss((log.detach() - truth_bhw).abs(), output.mixture_b3hw)
    loss = loss + LIKELIHOOD_WEIGHT * masked_mean(likelihood, known_bhw)
    updates = len(output.levels) - len(LEVEL_STRIDES)
    for index, level in enumerate(output.levels):
        stride = LEVEL_STRIDES[min(index, 3)]
        at = np.s_[:, stride // 2 :: stride, stride // 2 :: stride]
        age = updates - (index - 3) if index >= 3 else updates
        weight = LEVEL_WEIGHT * STEP_DECAY**age
        loss = loss + weight * masked_mean(robust(level[:, 0] - truth_bhw[at]), known_bhw[at])
    for logits, (offset, centre) in zip(output.logits, output.offsets, strict=True):
        loss = loss + MATCH_WEIGHT * match_loss(logits, offset, centre, truth_bhw, known_bhw)
    return loss


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """Mean where the mask holds."""
    return torch.where(mask, values, 0.0).sum() / mask.sum().clamp(min=1)


def robust(error: Tensor) -> Tensor:
    """The size of an error of the logarithm of inverse depth, smooth at zero, less when large."""
    size = (error.square() + SMOOTH_ERROR**2).sqrt()
    return size / (1.0 + 0.3 * size)


def gradient_loss(log_bhw: Tensor, truth_bhw: Tensor, known_bhw: Tensor) -> Tensor:
    """Mean error of the differences between pixels 1, 2 and 4 apart."""
    error = log_bhw - truth_bhw
    total = error.new_zeros(())
    for apart in (1, 2, 4):
        for axis in (1, 2):
            size = error.shape[axis] - apart
            change = error.narrow(axis, apart, size) - error.narrow(axis, 0, size)
            both = known_bhw.narrow(axis, apart, size) & known_bhw.narrow(axis, 0, size)
            total = total + masked_mean((change.square() + 1e-6).sqrt(), both) / 6.0
    return total


def normal_loss(
    log_bhw: Tensor, truth_bhw: Tensor, known_bhw: Tensor, sample: DepthSample
) -> Tensor:
    """1 − cosine of the angle between normals, away from the edges of the truth."""
    steep = (truth_bhw[:, 1:, :-1] - truth_bhw[:, :-1, :-1]).abs()
    steep = torch.maximum(steep, (truth_bhw[:, :-1, 1:] - truth_bhw[:, :-1, :-1]).abs())
    known = known_bhw[:, 1:, :-1] & known_bhw[:, :-1, 1:] & known_bhw[:, :-1, :-1]
    cosine = (_normals(log_bhw, sample) * _normals(truth_bhw, sample)).sum(1)
    return masked_mean(1.0 - cosine, known & (steep < EDGE_RATIO))


def _normals(log_bhw: Tensor, sample: DepthSample) -> Tensor:
    """Unit normals (b, 3, h − 1, w − 1): a plane's inverse depth is linear in the pixel."""
    inverse = log_bhw.clamp(-6, 6).exp()
    here = inverse[:, :-1, :-1]
    slope_x = sample.focal_px[0] * (inverse[:, :-1, 1:] - here)
    slope_y = sample.focal_px[1] * (inverse[:, 1:, :-1] - here)
    x = torch.arange(here.shape[2], device=here.device) - sample.centre_px[0]
    y = torch.arange(here.shape[1], device=here.device)[:, None] - sample.centre_px[1]
    along = here - slope_x * x / sample.focal_px[0] - slope_y * y / sample.focal_px[1]
    return F.normalize(torch.stack([slope_x, slope_y, along], 1), dim=1)


def mixture_loss(error_bhw: Tensor, mixture_b3hw: Tensor) -> Tensor:
    """Negative log likelihood (b, h, w) of an error under two Laplace distributions."""
    logit, narrow, wide = mixture_terms(mixture_b3hw)
    parts = [
        F.logsigmoid(sign * logit) - math.log(2.0) - scale - error_bhw * torch.exp(-scale)
        for sign, scale in ((1.0, narrow), (-1.0, wide))
    ]
    return -torch.logaddexp(*parts)


def match_loss(
    logits: Tensor, offset: Tensor, centre: Tensor, truth_bhw: Tensor, known_bhw: Tensor
) -> Tensor:
    """Cross entropy of the offsets' similarity with the true offset, where it is in reach."""
    at = np.s_[:, FEATURE_STRIDE // 2 :: FEATURE_STRIDE, FEATURE_STRIDE // 2 :: FEATURE_STRIDE]
    wanted = ((truth_bhw[at][:, None].exp() - centre.exp()) / offset)[:, 0]
    inside = known_bhw[at] & (wanted.abs() <= OFFSETS // 2)
    position = wanted.clamp(-(OFFSETS // 2), OFFSETS // 2) + OFFSETS // 2
    low = position.floor().clamp(max=OFFSETS - 2)
    share = position - low
    chances = logits.float().log_softmax(1)
    below = chances.gather(1, low.long()[:, None])[:, 0]
    above = chances.gather(1, low.long()[:, None] + 1)[:, 0]
    return masked_mean(-(1.0 - share) * below - share * above, inside)
