"""mvflow: a small network that corrects a cheap initial flow.

One weight-shared recurrent update works at 1/8 and 1/4 of the image size on local
correlations around the current flow (RAFT, Teed & Deng, ECCV 2020; coarse to fine as in
RAPIDFlow, Morimitsu et al., ICRA 2024). At 1/8 it is also offered, for each cell, the best
match among all cells of the other image (GMFlow, Xu et al., CVPR 2022) and the flow of
similar cells that are sure of theirs (`spread`), and each step may take flow over
from neighbours. What the initial flow has of detail is kept where it needs no correction.
Uncertainty is a mixture of two Laplace distributions (SEA-RAFT, Wang et al., ECCV 2024).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stages.flow.models.mvflow.correlation import (
    Matches,
    best_matches,
    best_shift,
    local_correlation,
    window_logits,
)
from stages.flow.models.mvflow.encoder import Encoded, Encoder
from stages.flow.models.mvflow.spread import Spread
from stages.flow.models.mvflow.update import CANDIDATES, CUES, Update, Upsampler, take_over
from stages.flow.models.warp import stays_inside, warp

# Pixels of the image per pixel of the level, finest first.
STRIDES = (4, 8)
FINE, COARSE = 0, 1
# Sides of images must be multiples of this: the encoder halves them five times.
STRIDE = 32


@dataclass(frozen=True)
class MvflowSettings:
    """Sizes of the network.

    Attributes:
        widths: channels at 1/4, 1/8, 1/16 and 1/32.
        features: channels that are matched, and of the context.
        hidden: channels of the recurrent state.
        updates: recurrent updates at 1/8 and 1/4, each at least one.
    """

    widths: tuple[int, ...] = (64, 96, 112, 64)
    features: int = 64
    hidden: int = 48
    updates: tuple[int, int] = (5, 1)


class Matched(NamedTuple):
    """What the matching of two images rests on; its logits are sharpness × similarity."""

    first: tuple[Tensor, ...]
    second: tuple[Tensor, ...]
    sharpness: Tensor


@dataclass(frozen=True)
class MvflowOutput:
    """Result of the network.

    Attributes:
        flow_b2hw: flow at full size.
        mixture_b3hw: weight logit and logarithms of the two scales (see `mixture_terms`).
        matched: features of both images at 1/4 and 1/8, and the sharpness of their matching.
        steps: the updates in order.
    """

    flow_b2hw: Tensor
    mixture_b3hw: Tensor
    matched: Matched
    steps: list[Step]


@dataclass(frozen=True)
class Step:
    """One update.

    Attributes:
        stride: pixels of the image per pixel of this level.
        before_b2hw, flow_b2hw: flow before and after it, in pixels of this level.
        correlation_bkhw: with the shifts that `local_correlation` looked at.
        sharpness: of the matching.
        start_b2hw: the initial flow at this level.
        share_b1hw: how much of the initial flow's detail the next level keeps.
    """

    stride: int
    before_b2hw: Tensor
    flow_b2hw: Tensor
    correlation_bkhw: Tensor
    sharpness: Tensor
    start_b2hw: Tensor
    share_b1hw: Tensor

    @property
    def logits_bhwk(self) -> Tensor:
        """Of the shifts; training alone needs them."""
        return window_logits(self.correlation_bkhw, self.sharpness)


class _Place(NamedTuple):
    """What all updates of one level share: features of both images, context, other flows."""

    level: int
    first: Tensor
    second: Tensor
    context: Tensor
    start: Tensor
    match: Matches


class Mvflow(nn.Module):
    """The whole network. Image sizes must be multiples of 32."""

    def __init__(self, settings: MvflowSettings | None = None) -> None:
        super().__init__()
        self.settings = settings or MvflowSettings()
        channels, hidden = self.settings.features, self.settings.hidden
        self.encoder = Encoder(self.settings.widths, channels)
        self.start_state = nn.Conv2d(channels, hidden, 1)
        self.spread = Spread(channels, hidden + CUES - 2)
        self.update = Update(channels, hidden, len(STRIDES))
        self.upsampler = Upsampler(channels, hidden)
        self.log_sharpness = nn.Parameter(torch.tensor(3.0))
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def encode(self, image_b3hw: Tensor) -> Encoded:
        """Features of RGB images in 0…1."""
        mean = image_b3hw.mean((1, 2, 3), keepdim=True)
        deviation = image_b3hw.std((1, 2, 3), keepdim=True)
        normalized = (image_b3hw - mean) / (deviation + 0.02)
        encoded: Encoded = self.encoder(normalized.contiguous(memory_format=torch.channels_last))
        return encoded

    def forward(self, first_b3hw: Tensor, second_b3hw: Tensor, start_b2hw: Tensor) -> MvflowOutput:
        """Flow first → second from images in 0…1 and an initial flow in pixels."""
        count = len(first_b3hw)
        encoded = self.encode(torch.cat([first_b3hw, second_b3hw]))
        first = Encoded(
            tuple(part[:count] for part in encoded.features),
            tuple(part[:count] for part in encoded.context),
        )
        return self.flow(first, tuple(part[count:] for part in encoded.features), start_b2hw)

    def both_ways(
        self, first_b3hw: Tensor, second_b3hw: Tensor, start_b2hw: Tensor
    ) -> MvflowOutput:
        """Flow first → second, then second → first, of twice the batch as `start_b2hw` is."""
        encoded, swapped = self._encode_both(first_b3hw, second_b3hw)
        return self.flow(encoded, swapped, start_b2hw, paired=True)

    def matched_both_ways(self, first_b3hw: Tensor, second_b3hw: Tensor) -> Matched:
        """The features alone, of twice the batch."""
        encoded, swapped = self._encode_both(first_b3hw, second_b3hw)
        return Matched(encoded.features, swapped, self.log_sharpness.exp())

    def _encode_both(
        self, first_b3hw: Tensor, second_b3hw: Tensor
    ) -> tuple[Encoded, tuple[Tensor, ...]]:
        encoded = self.encode(torch.cat([first_b3hw, second_b3hw]))
        return encoded, tuple(torch.cat(part.chunk(2)[::-1]) for part in encoded.features)

    def flow(
        self,
        first: Encoded,
        second_features: tuple[Tensor, ...],
        start_b2hw: Tensor,
        paired: bool = False,
    ) -> MvflowOutput:
        """Flow from features that are there already.

        Args:
            first: of the image that the flow belongs to.
            second_features: of the other.
            start_b2hw: initial flow at full size, pixels.
            paired: the second half of the batch is the way back of the first; saves a search.
        """
        matches = best_matches(first.features[1], second_features[1], paired)
        state = torch.tanh(self.start_state(first.context[1]))
        steps: list[Step] = []
        for level, updates in zip((COARSE, FINE), self.settings.updates, strict=True):
            start = at_centres(start_b2hw, STRIDES[level]) / STRIDES[level]
            flow, match = start, matches
            if steps:
                state = _double(state)
                flow = _finer(steps[-1], start)
                # Only the coarser level is offered far matches.
                match = Matches(start, torch.zeros_like(start))
            place = _Place(
                level,
                first.features[level],
                second_features[level],
                first.context[level],
                start,
                match,
            )
            for _ in range(updates):
                state, step = self._step(place, state, flow.detach())
                steps.append(step)
                flow = step.flow_b2hw
        full, mixture = self.upsampler(state, first.context[0], flow, start, start_b2hw)
        matched = Matched(first.features, second_features, self.log_sharpness.exp())
        return MvflowOutput(full, mixture, matched, steps)

    def _step(self, place: _Place, state: Tensor, flow: Tensor) -> tuple[Tensor, Step]:
        correlation = local_correlation(place.first, warp(place.second, flow))
        sharpness = self.log_sharpness.exp()
        shift, peak = best_shift(correlation, sharpness)
        jump = place.match.flow_b2hw - flow
        centre = correlation.shape[1] // 2
        cues = [
            flow / 16.0,
            (place.start - flow).clamp(-8.0, 8.0) / 2.0,
            shift,
            peak,
            correlation[:, centre : centre + 1],
            jump.clamp(-8.0, 8.0) / 2.0,
            jump / 16.0,
            place.match.trust_b2hw,
            stays_inside(flow)[:, None].float(),
        ]
        spread = flow
        if place.level == COARSE:
            sure = torch.cat([state, *cues], 1)
            spread = self.spread(place.context, sure.to(state.dtype), flow)
        cues.append((spread - flow).clamp(-8.0, 8.0) / 2.0)
        state, change = self.update(
            place.level, state, place.context, correlation, torch.cat(cues, 1)
        )
        logits, free, gate, local, share = change.split([CANDIDATES, 2, 1, 1, 1], 1)
        after = take_over(flow, [place.match.flow_b2hw, place.start, spread], logits)
        after = after + torch.sigmoid(gate) * free + torch.tanh(local) * shift
        stride = STRIDES[place.level]
        return state, Step(stride, flow, after, correlation, sharpness, place.start, 1.0 + share)


def at_centres(image_bchw: Tensor, stride: int) -> Tensor:
    """Mean of the four pixels in the middle of each cell of stride × stride."""
    skipped = stride // 2 - 1
    return F.avg_pool2d(image_bchw[..., skipped:, skipped:], 2, stride)


def _finer(step: Step, start_b2hw: Tensor) -> Tensor:
    """The flow at twice the size, with the initial flow's detail where it is wanted."""
    detail = start_b2hw - 2.0 * _double(step.start_b2hw)
    return 2.0 * _double(step.flow_b2hw) + _double(step.share_b1hw) * detail


def _double(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)


def mixture_terms(mixture_b3hw: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Weight logit of the first component, and logarithms of both scales (pixels).

    The first scale lies in e⁻³…1, the second in 1…e⁵.
    """
    logit, narrow, wide = mixture_b3hw.unbind(1)
    return logit, -1.5 + 1.5 * torch.tanh(narrow), 2.5 + 2.5 * torch.tanh(wide)


def probability_within(mixture_b3hw: Tensor, error_px: float = 1.0) -> Tensor:
    """Probability (b, h, w) that both components of the flow are right to `error_px`."""
    logit, narrow, wide = mixture_terms(mixture_b3hw)
    weight = torch.sigmoid(logit)
    inside = [(-torch.expm1(-error_px / scale.exp())) ** 2 for scale in (narrow, wide)]
    return weight * inside[0] + (1.0 - weight) * inside[1]
