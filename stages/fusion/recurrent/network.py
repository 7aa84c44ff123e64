"""The learned fusion: an encoder–decoder with a recurrent state that corrects the consensus.

The state is a convolutional GRU (Ballas et al., ICLR 2016) at 1/8 of the size, carried from
view to view by warping it with the poses (DeepVideoMVS, Duzceker et al., CVPR 2021). At 1/4 the
network chooses among hypotheses, spreads the choice along surfaces (learned affinities, CSPN,
Cheng et al., ECCV 2018) and corrects it; convex upsampling (RAFT, Teed & Deng, ECCV 2020)
brings it to full size, where it replaces the consensus as far as a gate says. All depths are
logarithms of inverse depth relative to the view's median, so units do not matter.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mvrecon.learning.layers import ResidualBlock, neighborhoods, upsampled_convexly

# Pixels of the image for one of the coarsest features, for one of the result before upsampling
# and for one of the recurrent state.
STRIDE = 16
QUARTER, EIGHTH = 4, 8
# The four of `FusionInput` and the consensus smoothed.
HYPOTHESES = 5
SPREADS = (1, 2)  # dilations, each applied twice
# Channels of the evidence, and which of them is the confidence of the consensus.
EVIDENCE = 7
TRUST = 6
INPUTS = 48 + 16 + EVIDENCE + 2 * (HYPOTHESES - 1) + 2 + 2
# Halvings of the size, at most: all of the picture can reach a pixel.
SMOOTHING_LEVELS = 8
# Scales (natural logarithms) of the mixture of Laplace distributions, in relative depth.
NARROW_LOG_SCALE = (-7.0, -2.5)
WIDE_SCALE = 0.3
# Relative error up to which a depth counts as right.
CORRECT = 0.05


@dataclass(frozen=True)
class FusionNetworkSettings:
    """Sizes of the network.

    Attributes:
        widths: channels at 1/4, 1/8 and 1/16.
        state: channels of the recurrent state.
    """

    widths: tuple[int, int, int] = (48, 64, 96)
    state: int = 48


class FusionInput(NamedTuple):
    """Batch of views; sizes are multiples of 16.

    Attributes:
        image_b3hw: RGB, 0…1.
        hypotheses_b4hw: logarithms of inverse depth: consensus, own, runner-up, previous
            result seen from this view; the consensus stands in for what is missing.
        evidence_b7hw: confidence of the own depth, the maps' agreement (own, others, against),
            image correlation at the consensus and at the own depth, confidence of the consensus.
        previous_b1hw: confidence of the previous result, 0 where there is none.
        rays_b2hw: x and y of the viewing rays (z = 1), at 1/4.
        state_bchw: previous state warped into this view, at 1/8, 0 where unknown.
        state_known_b1hw: where it is known.
    """

    image_b3hw: Tensor
    hypotheses_b4hw: Tensor
    evidence_b7hw: Tensor
    previous_b1hw: Tensor
    rays_b2hw: Tensor
    state_bchw: Tensor
    state_known_b1hw: Tensor


class FusionOutput(NamedTuple):
    """Result of the network.

    Attributes:
        log_inverse_bhw: at full size.
        coarse_bhw: the same at 1/4, before upsampling.
        mixture_b2hw: see `probability_within`.
        state_bchw: new state, at 1/8.
    """

    log_inverse_bhw: Tensor
    coarse_bhw: Tensor
    mixture_b2hw: Tensor
    state_bchw: Tensor


class ConvGru(nn.Module):
    """Gated recurrent unit with 3×3 convolutions."""

    def __init__(self, state: int, seen: int) -> None:
        super().__init__()
        self.gates = nn.Conv2d(state + seen, 2 * state, 3, padding=1)
        self.candidate = nn.Conv2d(state + seen, state, 3, padding=1)

    def forward(self, state: Tensor, seen: Tensor) -> Tensor:
        """The new state."""
        state = state.to(seen.dtype)
        update, reset = torch.sigmoid(self.gates(torch.cat([state, seen], 1))).chunk(2, 1)
        proposed = torch.tanh(self.candidate(torch.cat([reset * state, seen], 1)))
        return state + update * (proposed - state)


class Heads(nn.Module):
    """What is read off the finest features."""

    SIZES = (HYPOTHESES, 1, 9 * len(SPREADS), 9 * 16, 16, 2 * 16)

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.trunk = nn.Conv2d(channels, channels, 3, padding=1)
        self.last = nn.Conv2d(channels, sum(self.SIZES), 1)
        with torch.no_grad():
            self.last.weight.mul_(0.1)
            bias = torch.zeros(sum(self.SIZES))
            bias[0] = 3.0  # the consensus is the first choice
            for spread in range(len(SPREADS)):
                bias[HYPOTHESES + 1 + 9 * spread + 4] = 3.0  # and stays where it is
            bias[-3 * 16 : -2 * 16] = -1.5  # at full size it mostly stays as it was
            self.last.bias.copy_(bias)  # type: ignore[union-attr]

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Choice, correction, affinities, upsampling, gate and mixture."""
        parts: tuple[Tensor, ...] = self.last(F.relu(self.trunk(x))).float().split(self.SIZES, 1)
        return parts


class FusionNetwork(nn.Module):
    """The whole network."""

    def __init__(self, settings: FusionNetworkSettings | None = None) -> None:
        super().__init__()
        self.settings = settings or FusionNetworkSettings()
        fine, middle, coarse = self.settings.widths
        state = self.settings.state
        self.stem = nn.Conv2d(INPUTS, fine, 3, padding=1)
        self.fine = ResidualBlock(fine)
        self.to_middle = nn.Conv2d(fine, middle, 4, 2, 1)
        self.middle = ResidualBlock(middle)
        self.to_coarse = nn.Conv2d(middle, coarse, 4, 2, 1)
        self.coarse = ResidualBlock(coarse)
        self.from_coarse = nn.Conv2d(coarse, middle, 1)
        self.gru = ConvGru(state, middle + 1)
        self.merge_middle = nn.Conv2d(middle + state, middle, 3, padding=1)
        self.from_middle = nn.Conv2d(middle, fine, 1)
        self.merge_fine = nn.Conv2d(2 * fine, fine, 3, padding=1)
        self.refine = ResidualBlock(fine)
        self.heads = Heads(fine)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, given: FusionInput) -> FusionOutput:
        """Fuse one view of each sample."""
        candidates_b5hw = _candidates(given)
        features, state = self._features(_stacked(given, candidates_b5hw), given)
        choice, correction, affinity, upsampling, gate, mixture = self.heads(features)
        coarse = (choice.softmax(1) * candidates_b5hw).sum(1, keepdim=True) + 0.1 * correction
        for index, dilation in enumerate(SPREADS):
            weights = affinity[:, 9 * index : 9 * index + 9].softmax(1)
            for _ in range(2):
                coarse = (weights * neighborhoods(coarse, dilation)).sum(1, keepdim=True)
        fine = upsampled_convexly(coarse, upsampling.unflatten(1, (9, QUARTER**2)).softmax(1))
        consensus = given.hypotheses_b4hw[:, :1]
        share = torch.sigmoid(F.pixel_shuffle(gate, QUARTER))
        fine = consensus + share * (fine - consensus)
        return FusionOutput(fine[:, 0], coarse[:, 0], F.pixel_shuffle(mixture, QUARTER), state)

    def _features(self, stacked: Tensor, given: FusionInput) -> tuple[Tensor, Tensor]:
        fine = self.fine(F.relu(self.stem(stacked.contiguous(memory_format=torch.channels_last))))
        middle = self.middle(F.relu(self.to_middle(fine)))
        coarse = self.coarse(F.relu(self.to_coarse(middle)))
        middle = middle + F.interpolate(self.from_coarse(coarse), scale_factor=2.0, mode="nearest")
        known = given.state_known_b1hw.to(middle.dtype)
        state = self.gru(given.state_bchw, torch.cat([middle, known], 1))
        middle = F.relu(self.merge_middle(torch.cat([middle, state], 1)))
        above = F.interpolate(self.from_middle(middle), scale_factor=2.0, mode="nearest")
        merged = F.relu(self.merge_fine(torch.cat([fine, above], 1)))
        return self.refine(merged), state.float()


def _candidates(given: FusionInput) -> Tensor:
    """The hypotheses at 1/4, not mixed across edges, and the consensus smoothed."""
    sampled_b4hw = given.hypotheses_b4hw[..., 2::QUARTER, 2::QUARTER]
    trust_b1hw = F.avg_pool2d(given.evidence_b7hw[:, TRUST : TRUST + 1], QUARTER) ** 2 + 1e-3
    return torch.cat([sampled_b4hw, smoothed(sampled_b4hw[:, :1], trust_b1hw)], 1)


def smoothed(values_b1hw: Tensor, weights_b1hw: Tensor) -> Tensor:
    """Values where their weights are high, averages of wider and wider surroundings elsewhere."""
    levels = [(values_b1hw * weights_b1hw, weights_b1hw)]
    while len(levels) < SMOOTHING_LEVELS and min(levels[-1][0].shape[-2:]) > 1:
        levels.append(
            (
                F.avg_pool2d(levels[-1][0], 2, ceil_mode=True),
                F.avg_pool2d(levels[-1][1], 2, ceil_mode=True),
            )
        )
    total, weight = levels.pop()
    value = total / weight
    for total, weight in reversed(levels):
        size_hw = (total.shape[2], total.shape[3])
        value = F.interpolate(value, size_hw, mode="bilinear", align_corners=False)
        value = (total + 0.1 * value) / (weight + 0.1)
    return value


def _stacked(given: FusionInput, candidates_b5hw: Tensor) -> Tensor:
    """All inputs at 1/4."""
    image = given.image_b3hw
    mean, deviation = image.mean((1, 2, 3), keepdim=True), image.std((1, 2, 3), keepdim=True)
    consensus_b1hw = candidates_b5hw[:, :1]
    detail = given.hypotheses_b4hw[:, :1] - F.interpolate(
        consensus_b1hw, scale_factor=float(QUARTER), mode="nearest"
    )
    apart = candidates_b5hw[:, 1:] - consensus_b1hw
    return torch.cat(
        [
            F.pixel_unshuffle((image - mean) / (deviation + 0.02), QUARTER),
            F.pixel_unshuffle(torch.tanh(5.0 * detail), QUARTER),
            F.avg_pool2d(given.evidence_b7hw, QUARTER),
            torch.tanh(20.0 * apart),
            torch.tanh(2.0 * apart),
            torch.tanh(consensus_b1hw),
            F.avg_pool2d(given.previous_b1hw, QUARTER),
            given.rays_b2hw,
        ],
        1,
    )


def mixture_terms(mixture_b2hw: Tensor) -> tuple[Tensor, Tensor]:
    """Logit of the narrow component's weight, and the logarithm of its scale."""
    low, high = NARROW_LOG_SCALE
    logit, scale = mixture_b2hw.unbind(1)
    return logit, low + (high - low) * torch.sigmoid(scale)


def log_likelihood(mixture_b2hw: Tensor, error_bhw: Tensor) -> Tensor:
    """Logarithm of the density of an error, relative depth (SEA-RAFT, Wang et al., ECCV 2024)."""
    logit, log_scale = mixture_terms(mixture_b2hw)
    size = error_bhw.abs()
    narrow = F.logsigmoid(logit) - log_scale - size / log_scale.exp()
    wide = F.logsigmoid(-logit) - torch.tensor(WIDE_SCALE).log() - size / WIDE_SCALE
    return torch.logaddexp(narrow, wide) - torch.tensor(2.0).log()


def probability_within(mixture_b2hw: Tensor, error: float = CORRECT) -> Tensor:
    """Probability (b, h, w) that the depth is right to a relative error."""
    logit, log_scale = mixture_terms(mixture_b2hw)
    weight = torch.sigmoid(logit)
    narrow = -torch.expm1(-error / log_scale.exp())
    wide = -torch.expm1(torch.tensor(-error / WIDE_SCALE))
    return weight * narrow + (1.0 - weight) * wide
