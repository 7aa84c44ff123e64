"""Colour, noise, blur and compression of image pairs; the second image differs from the first."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from mvrecon.synthetic.training.batch import Draws, FlowPairs

JPEG_BLOCK = 8


def augment(pairs: FlowPairs, draws: Draws) -> FlowPairs:
    """The same motion under other light, noise, sharpness and compression."""
    count = len(pairs.forward.flow_b2hw)
    both = torch.stack([pairs.forward.first_b3hw, pairs.forward.second_b3hw], 1)
    both = _photometric(both, draws)
    both = _blur(both, draws)
    both = _compress(both, draws)
    sigma = draws.log_uniform(0.001, 0.04, count, 1, 1, 1, 1) * draws.coin(0.6, count, 1, 1, 1, 1)
    both = (both + sigma * draws.normal(*both.shape)).clamp(0.0, 1.0)
    return pairs.with_images(both[:, 0].contiguous(), both[:, 1].contiguous())


def _photometric(both_b23hw: Tensor, draws: Draws) -> Tensor:
    """Exposure, gamma, contrast and colour: common to a pair, and a little apart."""
    count = len(both_b23hw)
    apart = 0.35 * draws.coin(0.5, count, 1, 1, 1, 1)

    def pair(spread: float, channels: int = 1) -> Tensor:
        common = draws.normal(count, 1, channels, 1, 1)
        own = draws.normal(count, 2, channels, 1, 1)
        return spread * (common + apart * own)

    gamma, gain, colour = pair(0.2).exp(), pair(0.2).exp(), pair(0.08, 3).exp()
    offset, contrast = pair(0.06), pair(0.2).exp()
    image = both_b23hw.clamp(1e-4, 1.0) ** gamma
    mean = image.mean((1, 2, 3, 4), keepdim=True)
    image = ((image - mean) * contrast + mean) * gain * colour + offset
    grey = image.mean(2, keepdim=True)
    return torch.where(draws.coin(0.15, count, 1, 1, 1, 1), grey, image).clamp(0.0, 1.0)


def _blur(both_b23hw: Tensor, draws: Draws) -> Tensor:
    """A Gaussian blur of some pairs, unequal in half of them."""
    chosen = draws.coin(0.3, len(both_b23hw)).nonzero()[:, 0]
    if len(chosen) == 0:
        return both_b23hw
    sigma = draws.log_uniform(0.4, 1.6, len(chosen), 1) * draws.log_uniform(
        0.7, 1.4, len(chosen), 2
    )
    offsets = torch.arange(-4, 5, device=sigma.device)
    kernel = torch.exp(-0.5 * (offsets / sigma.flatten()[:, None]) ** 2)
    kernel = (kernel / kernel.sum(1, keepdim=True)).repeat_interleave(3, 0)[:, None]
    images = both_b23hw[chosen].flatten(0, 2)[None]
    groups = images.shape[1]
    images = F.conv2d(F.pad(images, (4, 4, 0, 0), "reflect"), kernel[:, :, None], groups=groups)
    images = F.conv2d(F.pad(images, (0, 0, 4, 4), "reflect"), kernel[..., None], groups=groups)
    result = both_b23hw.clone()
    result[chosen] = images.view(len(chosen), *both_b23hw.shape[1:])
    return result


def _cosine_basis(device: torch.device) -> Tensor:
    """Orthonormal 8-point discrete cosine transform (rows are frequencies)."""
    index = torch.arange(JPEG_BLOCK, dtype=torch.float32, device=device)
    basis = torch.cos(math.pi * (index + 0.5) * index[:, None] / JPEG_BLOCK) / 2.0
    basis[0] *= math.sqrt(0.5)
    return basis


def _compress(both_b23hw: Tensor, draws: Draws) -> Tensor:
    """Quantise some images' 8×8 cosine coefficients, coarser for high frequencies."""
    count = len(both_b23hw)
    chosen = draws.coin(0.25, count).nonzero()[:, 0]
    strength = draws.log_uniform(0.01, 0.08, count)[chosen]
    height, width = both_b23hw.shape[-2:]
    if len(chosen) == 0 or height % JPEG_BLOCK or width % JPEG_BLOCK:
        return both_b23hw
    basis = _cosine_basis(both_b23hw.device)
    shape = (len(chosen), 2, 3, height // JPEG_BLOCK, JPEG_BLOCK, width // JPEG_BLOCK, JPEG_BLOCK)
    blocks = both_b23hw[chosen].reshape(shape).transpose(-3, -2)
    frequency = torch.arange(JPEG_BLOCK, device=basis.device)
    step = (1.0 + 0.5 * (frequency + frequency[:, None])) * strength.view(-1, 1, 1, 1, 1, 1, 1)
    coefficients = ((basis @ blocks @ basis.T) / step).round() * step
    decoded = (basis.T @ coefficients @ basis).transpose(-3, -2)
    result = both_b23hw.clone()
    result[chosen] = decoded.reshape(len(chosen), *both_b23hw.shape[1:])
    return result
