"""A prior over depth: a small conditional variational autoencoder that completes a depth map.

Conditional VAE after Sohn et al., NeurIPS 2015: a latent map at 1/32 of the size says how the
unseen goes on; its prior sees the image and what was measured, its posterior (in training only)
also what is to be completed. The decoder corrects a plain inpainting at 1/4 of the size and spreads
what was measured along learned affinities (CSPN, Cheng et al., ECCV 2018); convex upsampling
(RAFT, Teed & Deng, ECCV 2020) brings it to full size. All depths are logarithms of inverse depth
relative to the median of what was measured, so units do not matter.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mvrecon.learning.layers import ResidualBlock, neighborhoods, upsampled_convexly

# Pixels of the image for one of the latent map and for one of the result before upsampling.
STRIDE = 32
QUARTER = 4
# Dilations of the spreading, each applied twice, at 1/4.
SPREADS = (8, 4, 2, 1)
# Channels: image, whether it is known, measured depth, its share, the fill.
INPUTS = 3 * QUARTER**2 + 4
# Keeps what nothing was measured for from dividing by 0.
LEAST_WEIGHT = 1e-6
# Logarithms of the latent's standard deviations stay within ± this.
LARGEST_LOG_DEVIATION = 4.0


@dataclass(frozen=True)
class CompletionSettings:
    """Sizes of the network.

    Attributes:
        widths: channels at 1/4, 1/8, 1/16 and 1/32.
        latent: channels of the latent map at 1/32.
    """

    widths: tuple[int, int, int, int] = (32, 48, 64, 96)
    latent: int = 8


class CompletionInput(NamedTuple):
    """Batch of views; sizes are multiples of 32.

    Attributes:
        image_b3hw: RGB, 0…1.
        image_known_b1hw: 0 where the image does not show the scene that is to be completed.
        log_inverse_b1hw: logarithm of inverse depth less its median, 0 where not measured.
        measured_b1hw: 1 where it was measured, else 0.
        fill_b1hw: a plain completion at 1/4 of the size, which the network corrects.
    """

    image_b3hw: Tensor
    image_known_b1hw: Tensor
    log_inverse_b1hw: Tensor
    measured_b1hw: Tensor
    fill_b1hw: Tensor


class Gaussian(NamedTuple):
    """Independent normal distributions.

    Attributes:
        mean, log_deviation: (b, c, h, w).
    """

    mean: Tensor
    log_deviation: Tensor

    def sample(self, noise: Tensor) -> Tensor:
        """Values for standard normal noise of the same shape."""
        return self.mean + noise * self.log_deviation.exp()


class Condition(NamedTuple):
    """What is known of a batch of views.

    Attributes:
        levels: features at 1/4, 1/8, 1/16 and 1/32.
        fill_b1hw: plain completion, at 1/4.
        share_b1hw: share of measured pixels, at 1/4.
        measured_b1hw: mean of the measured ones, at 1/4.
    """

    levels: tuple[Tensor, Tensor, Tensor, Tensor]
    fill_b1hw: Tensor
    share_b1hw: Tensor
    measured_b1hw: Tensor


class CompletionNetwork(nn.Module):
    """The whole network."""

    def __init__(self, settings: CompletionSettings | None = None) -> None:
        super().__init__()
        self.settings = settings or CompletionSettings()
        widths, latent = self.settings.widths, self.settings.latent
        self.stem = nn.Conv2d(INPUTS, widths[0], 3, padding=1)
        self.blocks = nn.ModuleList(ResidualBlock(width) for width in widths)
        self.downs = nn.ModuleList(
            nn.Conv2d(finer, coarser, 4, 2, 1) for finer, coarser in pairwise(widths)
        )
        self.prior = nn.Conv2d(widths[3], 2 * latent, 3, padding=1)
        self.complete = nn.Sequential(
            nn.Conv2d(2, 16, 4, 2, 1),
            nn.ReLU(),
            nn.Conv2d(16, 32, 4, 2, 1),
            nn.ReLU(),
            nn.Conv2d(32, 32, 4, 2, 1),
        )
        self.posterior = nn.Conv2d(32 + widths[3], 2 * latent, 3, padding=1)
        self.from_latent = nn.Conv2d(widths[3] + latent, widths[3], 3, padding=1)
        self.ups = nn.ModuleList(
            nn.Conv2d(coarser, finer, 1) for finer, coarser in pairwise(widths)
        )
        self.merges = nn.ModuleList(ResidualBlock(width) for width in widths[:3])
        self.head = nn.Conv2d(widths[0], 1 + 9 * len(SPREADS) + 9 * QUARTER**2, 1)
        with torch.no_grad():
            self.head.weight.mul_(0.1)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def condition(self, given: CompletionInput) -> Condition:
        """Look at what is known."""
        share = F.avg_pool2d(given.measured_b1hw, QUARTER)
        sums = F.avg_pool2d(given.log_inverse_b1hw * given.measured_b1hw, QUARTER)
        measured = sums / share.clamp(min=LEAST_WEIGHT)
        fill = given.fill_b1hw
        image = given.image_b3hw
        mean, deviation = image.mean((1, 2, 3), keepdim=True), image.std((1, 2, 3), keepdim=True)
        image = (image - mean) / (deviation + 0.02) * given.image_known_b1hw
        x = torch.cat(
            [
                F.pixel_unshuffle(image, QUARTER),
                F.avg_pool2d(given.image_known_b1hw, QUARTER),
                torch.tanh(measured) * (share > 0),
                share,
                torch.tanh(fill),
            ],
            1,
        )
        x = F.relu(self.stem(x.contiguous(memory_format=torch.channels_last)))
        levels = [self.blocks[0](x)]
        for down, block in zip(self.downs, list(self.blocks)[1:], strict=True):
            levels.append(block(F.relu(down(levels[-1]))))
        first, second, third, fourth = levels
        return Condition((first, second, third, fourth), fill, share, measured)

    def expected(self, condition: Condition) -> Gaussian:
        """The prior of the latent map."""
        return _gaussian(self.prior(condition.levels[3]))

    def explained(self, condition: Condition, whole_b1hw: Tensor, known_b1hw: Tensor) -> Gaussian:
        """The posterior of the latent map.

        Args:
            condition: what is known.
            whole_b1hw: logarithm of inverse depth, also where it is to be completed.
            known_b1hw: 1 where it is known, else 0.
        """
        share = F.avg_pool2d(known_b1hw, QUARTER)
        mean = F.avg_pool2d(whole_b1hw * known_b1hw, QUARTER) / share.clamp(min=LEAST_WEIGHT)
        seen = self.complete(torch.cat([torch.tanh(mean - condition.fill_b1hw), share], 1))
        return _gaussian(self.posterior(torch.cat([seen, condition.levels[3]], 1)))

    def decode(self, condition: Condition, latent_bchw: Tensor) -> tuple[Tensor, Tensor]:
        """Completed logarithm of inverse depth (b, h, w), and the same at 1/4."""
        fine, middle, coarse, coarsest = condition.levels
        latent = latent_bchw.to(coarsest.dtype)
        x = F.relu(self.from_latent(torch.cat([coarsest, latent], 1)))
        steps = zip(
            reversed(list(self.ups)),
            reversed(list(self.merges)),
            (coarse, middle, fine),
            strict=True,
        )
        for up, merge, finer in steps:
            x = merge(finer + F.interpolate(up(x), scale_factor=2.0, mode="nearest"))
        sizes = (1, 9 * len(SPREADS), 9 * QUARTER**2)
        correction, affinity, upsampling = self.head(x).float().split(sizes, 1)
        value = _spread(condition, condition.fill_b1hw + 0.3 * correction, affinity)
        weights = upsampling.unflatten(1, (9, QUARTER**2)).softmax(1)
        return upsampled_convexly(value, weights)[:, 0], value[:, 0]


def _gaussian(parameters: Tensor) -> Gaussian:
    mean, deviation = parameters.float().chunk(2, 1)
    return Gaussian(mean, LARGEST_LOG_DEVIATION * torch.tanh(deviation / LARGEST_LOG_DEVIATION))


def _spread(condition: Condition, value: Tensor, affinity: Tensor) -> Tensor:
    """Let values travel to their neighbours; what was measured stays."""
    kept = (condition.share_b1hw > 0).float()
    for index, dilation in enumerate(SPREADS):
        weights = affinity[:, 9 * index : 9 * index + 9].softmax(1)
        for _ in range(2):
            value = kept * condition.measured_b1hw + (1 - kept) * value
            value = (weights * neighborhoods(value, dilation)).sum(1, keepdim=True)
    return kept * condition.measured_b1hw + (1 - kept) * value


def divergence(posterior: Gaussian, prior: Gaussian) -> Tensor:
    """Kullback–Leibler divergence, the sum over channels, the mean over the rest."""
    ratio = 2 * (posterior.log_deviation - prior.log_deviation)
    shift = (posterior.mean - prior.mean).square() * torch.exp(-2 * prior.log_deviation)
    return 0.5 * (ratio.exp() + shift - 1 - ratio).sum(1).mean()
