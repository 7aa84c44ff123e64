"""The depth network: corrects a swept surface from image context and learned matching.

The evidence of the sweep and the image go through a U-Net that says, from coarse to fine,
where the start is to be kept and where the surroundings know better (as in depth
completion). A recurrent unit then moves the surface along the epipolar lines by the
correlation of learned features (IterMVS, Wang et al., CVPR 2022), and convex weights bring it
to full size (RAFT, Teed & Deng, ECCV 2020). All depths are relative to the start's median,
so that the unit of the world does not matter. Untrained, it returns the start. Uncertainty is
a mixture of two Laplace distributions of the logarithm of depth (SEA-RAFT, Wang et al., ECCV
2024).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mvrecon.learning.layers import upsampled_convexly
from stages.depth.learned.epipolar import OFFSETS, Epipolar, similarities
from stages.depth.learned.network_parts import (
    Encoder,
    Pyramid,
    Update,
    Upsampler,
    doubled,
    pooled_by_weight,
    zeroed,
)
from stages.depth.learned.start import AGREEMENT_CUES, SWEEP_CUES

# How far the first, second, … update looks, in pixels of the features in the widest pair.
REACHES_PX = (1.0, 0.5, 0.25)
SIMILARITIES = 2 * OFFSETS + 1
UPDATE_CUES = 5
CUES = SWEEP_CUES + AGREEMENT_CUES
# Of the logarithm of inverse depth in one update.
LARGEST_LOG_CHANGE = 0.5


@dataclass(frozen=True)
class DepthNetSettings:
    """Sizes of the network.

    Attributes:
        encoder: channels at 1/2, 1/4 and 1/8.
        features: channels that are matched.
        pyramid: channels at 1/4, 1/8, 1/16 and 1/32.
        hidden: channels of the recurrent state.
    """

    encoder: tuple[int, int, int] = (32, 40, 56)
    features: int = 32
    pyramid: tuple[int, int, int, int] = (48, 64, 72, 72)
    hidden: int = 32


@dataclass(frozen=True)
class Encoded:
    """Features of images; `match` is what is compared between views."""

    half: Tensor
    quarter: Tensor
    eighth: Tensor
    match: Tensor

    def rows(self, rows: Tensor) -> Encoded:
        """Those of some of the images."""
        return Encoded(*(value[rows] for value in vars(self).values()))


@dataclass(frozen=True)
class DepthNetOutput:
    """Result of the network.

    Attributes:
        log_b1hw: logarithm of the inverse depth at full size, in units of the start's median.
        mixture_b3hw: weight logit and logarithms of two scales, see `mixture_terms`.
        upsampling: weights that `upsampled_convexly` brings 1/4 to full size with.
        levels: the same logarithm at 1/32, 1/16, 1/8, 1/4, then after each update at 1/4.
        logits: of the offsets tried by each update (b, OFFSETS, h, w).
        offsets: each update's distance between offsets, and the inverse depth they are round.
        scale_b: the start's median.
    """

    log_b1hw: Tensor
    mixture_b3hw: Tensor
    upsampling: Tensor
    levels: list[Tensor]
    logits: list[Tensor]
    offsets: list[tuple[Tensor, Tensor]]
    scale_b: Tensor


class DepthNet(nn.Module):
    """The whole network. Image sizes must be multiples of 32."""

    def __init__(self, settings: DepthNetSettings | None = None) -> None:
        super().__init__()
        self.settings = settings or DepthNetSettings()
        half, quarter, eighth = self.settings.encoder
        context, hidden = self.settings.pyramid[0], self.settings.hidden
        self.encoder = Encoder(self.settings.encoder, self.settings.features)
        self.trust = zeroed(nn.Conv2d(CUES, 1, 3, padding=1))
        self.pyramid = Pyramid(
            quarter + 4 * (CUES + 1) + SIMILARITIES, eighth, self.settings.pyramid
        )
        self.corrections = nn.ModuleList(
            zeroed(nn.Conv2d(width, 2, 1)) for width in reversed(self.settings.pyramid)
        )
        self.start_state = nn.Conv2d(context, hidden, 1)
        self.update = Update(SIMILARITIES + UPDATE_CUES, context, hidden)
        self.upsampler = Upsampler(hidden, context, half)
        self.log_sharpness = nn.Parameter(torch.tensor(2.3))
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def encode(self, image_b3hw: Tensor) -> Encoded:
        """Features of RGB images in 0…1."""
        mean = image_b3hw.mean((1, 2, 3), keepdim=True)
        deviation = image_b3hw.std((1, 2, 3), keepdim=True)
        normalized = (image_b3hw - mean) / (deviation + 0.02)
        return Encoded(*self.encoder(normalized.contiguous(memory_format=torch.channels_last)))

    def forward(
        self,
        view: Encoded,
        neighbors: list[Encoded],
        epipolar: Epipolar,
        start_b1hw: Tensor,
        cues_bchw: Tensor,
    ) -> DepthNetOutput:
        """Correct the start.

        Args:
            view: features of the views wanted.
            neighbors: of each rank of neighbour, features for all views.
            epipolar: where pixels fall in the neighbours, at 1/4.
            start_b1hw: inverse depth at 1/2.
            cues_bchw: what the sweeps know of it, see `with_agreement`.
        """
        scale_b = start_b1hw.flatten(1).median(1).values
        log_start = (start_b1hw / scale_b[:, None, None, None]).log()
        weight = torch.sigmoid(self.trust(cues_bchw).float()) + 1e-3
        pyramid = pooled_by_weight(log_start, weight, 4)
        matched = [neighbor.match for neighbor in neighbors]
        unit_b111 = (epipolar.unit_b / scale_b)[:, None, None, None]
        relative = epipolar.scaled(scale_b)
        first = similarities(view.match, matched, relative, pyramid[0][0].exp(), unit_b111)
        evidence = [
            view.quarter,
            F.pixel_unshuffle(torch.cat([cues_bchw, log_start.clamp(-2, 2)], 1), 2),
            first,
        ]
        known = self.pyramid(
            torch.cat([part.to(view.quarter.dtype) for part in evidence], 1), view.eighth
        )
        levels = self._coarse_to_fine(known, pyramid)
        context = known[-1]
        state = torch.tanh(self.start_state(context))
        log, logits, offsets = levels[-1], [], []
        for reach in REACHES_PX:
            log = log.detach()
            offset = reach * unit_b111
            costs = similarities(view.match, matched, relative, log.exp(), offset)
            logit = self.log_sharpness.exp() * costs[:, :OFFSETS]
            logits.append(logit)
            offsets.append((offset, log))
            log, state = self._step(state, context, costs, logit, (log, offset, pyramid[0]))
            levels.append(log)
        weights, coarse_mixture = self.upsampler(state, context, view.half)
        mixture = F.interpolate(coarse_mixture, scale_factor=4.0, mode="bilinear")
        return DepthNetOutput(
            upsampled_convexly(log, weights), mixture, weights, levels, logits, offsets, scale_b
        )

    def _coarse_to_fine(
        self, known: tuple[Tensor, ...], pyramid: list[tuple[Tensor, Tensor]]
    ) -> list[Tensor]:
        """Coarse to fine, keep the start or take what the level above says, corrected."""
        levels: list[Tensor] = []
        for features, correction, (start, weight) in zip(
            known, self.corrections, reversed(pyramid), strict=True
        ):
            change, gate = correction(features).float().chunk(2, 1)
            around = doubled(levels[-1]) if levels else start
            keep = torch.sigmoid(gate + 2.0 * weight + 1.0)
            levels.append(keep * start + (1.0 - keep) * around + torch.tanh(change))
        return levels

    def _step(
        self,
        state: Tensor,
        context: Tensor,
        costs: Tensor,
        logit: Tensor,
        place: tuple[Tensor, Tensor, tuple[Tensor, Tensor]],
    ) -> tuple[Tensor, Tensor]:
        log, offset, (start, weight) = place
        probability = logit.softmax(1)
        steps = torch.arange(OFFSETS, device=log.device, dtype=torch.float32) - OFFSETS // 2
        shift = (probability * steps[:, None, None]).sum(1, keepdim=True)
        cues = torch.cat(
            [
                log.clamp(-2, 2),
                (start - log).clamp(-1, 1) * 4,
                weight,
                shift,
                (offset / log.exp()).log() / 4 + 1,
            ],
            1,
        )
        inputs = torch.cat([costs, cues], 1).to(context.dtype)
        state, change = self.update(state, context, inputs)
        free, gate, follow = change.chunk(3, 1)
        log = log + LARGEST_LOG_CHANGE * torch.sigmoid(gate) * torch.tanh(free)
        moved = log.exp() + torch.tanh(follow) * shift * offset
        return moved.clamp(min=1e-3).log(), state


def mixture_terms(mixture_b3hw: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Weight logit of the first component, and logarithms of both scales (of log depth).

    The first scale lies in e⁻⁷…e⁻³, the second in e⁻³…e.
    """
    logit, narrow, wide = mixture_b3hw.unbind(1)
    return logit, -5.0 + 2.0 * torch.tanh(narrow), -1.0 + 2.0 * torch.tanh(wide)


def expected_error(mixture_b3hw: Tensor) -> Tensor:
    """Mean size (b, h, w) of the error of the logarithm of depth."""
    logit, narrow, wide = mixture_terms(mixture_b3hw)
    weight = torch.sigmoid(logit)
    return weight * narrow.exp() + (1.0 - weight) * wide.exp()


def probability_within(mixture_b3hw: Tensor, ratio: float = 0.05) -> Tensor:
    """Probability (b, h, w) that the depth is right to a ratio."""
    logit, narrow, wide = mixture_terms(mixture_b3hw)
    weight = torch.sigmoid(logit)
    inside = [-torch.expm1(-ratio / scale.exp()) for scale in (narrow, wide)]
    return weight * inside[0] + (1.0 - weight) * inside[1]
