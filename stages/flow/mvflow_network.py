"""mvflow: a small network that corrects a cheap initial flow, coarse to fine.

One weight-shared recurrent update works at 1/16, 1/8 and 1/4 of the image size on local
correlations around the current flow (RAFT, Teed & Deng, ECCV 2020; coarse to fine as in
RAPIDFlow, Morimitsu et al., ICRA 2024). At 1/16 a global match may replace the flow where
it is far off. What the initial flow has of detail is kept where it needs no correction, so
an untrained network returns the initial flow itself. Uncertainty is a mixture of two
Laplace distributions (SEA-RAFT, Wang et al., ECCV 2024).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stages.flow.mvflow_correlation import (
    RADIUS,
    best_matches,
    best_shift,
    local_correlation,
    match_globally,
    warp,
)

CUES = 14
CHANGES = 6
CORRELATION_SCALE = 4.0


@dataclass(frozen=True)
class MvflowSettings:
    """Sizes of the network.

    Attributes:
        widths: channels at 1/4, 1/8 and 1/16.
        features: channels that are matched, and of the context.
        hidden: channels of the recurrent state.
        updates: recurrent updates at 1/16, 1/8 and 1/4, each at least one.
    """

    widths: tuple[int, int, int] = (64, 96, 112)
    features: int = 64
    hidden: int = 48
    updates: tuple[int, int, int] = (1, 1, 2)


@dataclass(frozen=True)
class Encoded:
    """Features of one image, finest level first: matched ones (unit length) and context."""

    features: tuple[Tensor, ...]
    context: tuple[Tensor, ...]


@dataclass(frozen=True)
class MvflowOutput:
    """Result of the network.

    Attributes:
        flow_b2hw: flow at full size.
        mixture_b3hw: weight logit and logarithms of the two scales (see `mixture_terms`).
        log_match_bnn: logarithm of the global matching probabilities at 1/16.
        steps: the updates in order.
    """

    flow_b2hw: Tensor
    mixture_b3hw: Tensor
    log_match_bnn: Tensor
    steps: list[Step]


@dataclass(frozen=True)
class Step:
    """One update.

    Attributes:
        stride: pixels of the image per pixel of this level.
        before_b2hw, flow_b2hw: flow before and after it, in pixels of this level.
        logits_bhwk: of the shifts that `local_correlation` looked at.
        start_b2hw: the initial flow at this level.
        share_b1hw: how much of the initial flow's detail the next level keeps.
    """

    stride: int
    before_b2hw: Tensor
    flow_b2hw: Tensor
    logits_bhwk: Tensor
    start_b2hw: Tensor
    share_b1hw: Tensor


class _Place(NamedTuple):
    """What all updates of one level share: features of both images, context, initial flow."""

    level: int
    first: Tensor
    second: Tensor
    context: Tensor
    start: Tensor


class ResidualBlock(nn.Module):
    """Two normalised convolutions and a skip."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.first_norm = nn.GroupNorm(channels // 8, channels)
        self.second = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.second_norm = nn.GroupNorm(channels // 8, channels)

    def forward(self, x: Tensor) -> Tensor:
        """Same shape as the input."""
        y = F.relu(self.first_norm(self.first(x)))
        return F.relu(x + self.second_norm(self.second(y)))


class Encoder(nn.Module):
    """Features at 1/4, 1/8 and 1/16, with what the coarser levels see added to the finer."""

    def __init__(self, settings: MvflowSettings) -> None:
        super().__init__()
        fine, middle, coarse = settings.widths
        channels = settings.features
        self.stem = nn.Conv2d(48, fine, 3, padding=1)
        self.levels = nn.ModuleList(
            [
                nn.Sequential(ResidualBlock(fine)),
                nn.Sequential(nn.Conv2d(fine, middle, 4, 2, 1), nn.ReLU(), ResidualBlock(middle)),
                nn.Sequential(nn.Conv2d(middle, coarse, 4, 2, 1), nn.ReLU(), ResidualBlock(coarse)),
            ]
        )
        self.laterals = nn.ModuleList(nn.Conv2d(width, channels, 1) for width in settings.widths)
        self.smooth = nn.ModuleList(nn.Conv2d(channels, channels, 3, padding=1) for _ in range(3))
        self.heads = nn.ModuleList(nn.Conv2d(channels, 2 * channels, 1) for _ in range(3))

    def forward(self, image_b3hw: Tensor) -> Encoded:
        """Features of normalised images."""
        x = F.relu(self.stem(F.pixel_unshuffle(image_b3hw, 4)))
        levels = []
        for level in self.levels:
            x = level(x)
            levels.append(x)
        above: Tensor | None = None
        features: list[Tensor] = []
        context: list[Tensor] = []
        for index in (2, 1, 0):
            merged = self.laterals[index](levels[index])
            if above is not None:
                merged = merged + F.interpolate(above, scale_factor=2.0, mode="nearest")
            above = F.relu(self.smooth[index](merged))
            matched, seen = self.heads[index](above).chunk(2, dim=1)
            features.insert(0, _descriptors(matched.float()).to(matched.dtype))
            context.insert(0, torch.tanh(seen))
        return Encoded(tuple(features), tuple(context))


def _descriptors(features_bchw: Tensor) -> Tensor:
    """Features of unit length, freed from what all places of an image have in common."""
    centred = features_bchw - features_bchw.mean((2, 3), keepdim=True)
    spread = centred.square().mean((2, 3), keepdim=True)
    return F.normalize(centred * (spread + 1e-5).rsqrt(), dim=1)


class Update(nn.Module):
    """One recurrent step: correlation and cues → state → what to change.

    The changes: a free shift (2) and its gate, how far to follow the local and the global
    match, and the share of the initial detail.
    """

    def __init__(self, settings: MvflowSettings) -> None:
        super().__init__()
        hidden, channels = settings.hidden, settings.features
        window = (2 * RADIUS + 1) ** 2
        self.correlation = nn.Conv2d(window, hidden, 1)
        self.motion = nn.Conv2d(hidden + CUES, hidden, 3, padding=1)
        self.gates = nn.Conv2d(2 * hidden + channels, 2 * hidden, 3, padding=1)
        self.candidate = nn.Conv2d(2 * hidden + channels, hidden, 3, padding=1)
        self.head = nn.Conv2d(hidden, hidden, 3, padding=1)
        # Levels differ in how sure a change must be, so each has its own last layer.
        self.changes = nn.ModuleList(nn.Conv2d(hidden, CHANGES, 1) for _ in settings.updates)
        for layer in self.changes.parameters():
            nn.init.zeros_(layer)

    def forward(
        self, level: int, state: Tensor, context: Tensor, correlation: Tensor, cues: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The new state and the changes (b, 6, h, w), at level 0 (finest), 1 or 2."""
        seen = F.relu(self.correlation(correlation))
        seen = F.relu(self.motion(torch.cat([seen, cues.to(seen.dtype)], 1)))
        update, reset = torch.sigmoid(self.gates(torch.cat([state, seen, context], 1))).chunk(2, 1)
        proposed = torch.tanh(self.candidate(torch.cat([reset * state, seen, context], 1)))
        state = state + update * (proposed - state)
        return state, self.changes[level](F.relu(self.head(state))).float()


class Upsampler(nn.Module):
    """Convex upsampling by 4 (RAFT), the share of the initial detail, and the uncertainty."""

    def __init__(self, settings: MvflowSettings) -> None:
        super().__init__()
        hidden = settings.hidden
        self.trunk = nn.Conv2d(hidden + settings.features, hidden, 3, padding=1)
        self.mask = nn.Conv2d(hidden, 9 * 16, 1)
        self.detail = nn.Conv2d(hidden, 16, 1)
        self.mixture = nn.Conv2d(hidden, 3, 1)
        for layer in (self.detail, self.mixture):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]

    def forward(
        self, state: Tensor, context: Tensor, coarse_flow: Tensor, start: Tensor, fine_start: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Flow at full size in pixels, and the mixture's parameters."""
        x = F.relu(self.trunk(torch.cat([state, context], 1)))
        both = torch.cat([coarse_flow, start], 1)
        count, _, height, width = both.shape
        weights = self.mask(x).float().permute(0, 2, 3, 1).reshape(-1, 9, 16).softmax(1)
        near = F.unfold(F.pad(both, (1, 1, 1, 1), mode="replicate"), 3)
        near = near.view(count, 4, 9, -1).permute(0, 3, 1, 2).reshape(-1, 4, 9)
        upsampled = torch.bmm(near, weights).view(count, height, width, 64).permute(0, 3, 1, 2)
        flow, smooth_start = F.pixel_shuffle(4.0 * upsampled, 4).chunk(2, 1)
        share = 1.0 + F.pixel_shuffle(self.detail(x).float(), 4)
        mixture = F.interpolate(self.mixture(x).float(), scale_factor=4.0, mode="bilinear")
        return flow + share * (fine_start - smooth_start), mixture


class Mvflow(nn.Module):
    """The whole network. Image sizes must be multiples of 16."""

    def __init__(self, settings: MvflowSettings | None = None) -> None:
        super().__init__()
        self.settings = settings or MvflowSettings()
        self.encoder = Encoder(self.settings)
        self.start_state = nn.Conv2d(self.settings.features, self.settings.hidden, 1)
        self.update = Update(self.settings)
        self.upsampler = Upsampler(self.settings)
        self.log_sharpness = nn.Parameter(torch.tensor(2.5))
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

    def flow(
        self, first: Encoded, second_features: tuple[Tensor, ...], start_b2hw: Tensor
    ) -> MvflowOutput:
        """Flow from features that are there already."""
        log_match = match_globally(first.features[2], second_features[2], self.log_sharpness.exp())
        size_hw = (first.features[2].shape[2], first.features[2].shape[3])
        match, trust = best_matches(log_match, size_hw)
        state = torch.tanh(self.start_state(first.context[2]))
        steps: list[Step] = []
        for level, updates in zip((2, 1, 0), self.settings.updates, strict=True):
            stride = 4 << level
            start = F.avg_pool2d(start_b2hw, stride) / stride
            flow = start
            if steps:
                state = _double(state)
                flow = _finer(steps[-1], start)
            place = _Place(
                level, first.features[level], second_features[level], first.context[level], start
            )
            for _ in range(updates):
                flow = flow.detach()
                # Only the coarsest level matches globally: finer ones are offered no jump.
                far = (match - flow, trust) if level == 2 else (0.0 * flow, 0.0 * flow)
                state, step = self._step(place, state, flow, far)
                steps.append(step)
                flow = step.flow_b2hw
        full, mixture = self.upsampler(state, first.context[0], flow, start, start_b2hw)
        return MvflowOutput(full, mixture, log_match, steps)

    def _step(
        self, place: _Place, state: Tensor, flow: Tensor, far_match: tuple[Tensor, Tensor]
    ) -> tuple[Tensor, Step]:
        jump, trust = far_match
        correlation = local_correlation(place.first, warp(place.second, flow))
        logits_bhwk = self.log_sharpness.exp() * correlation.permute(0, 2, 3, 1).float()
        shift, peak = best_shift(logits_bhwk)
        cues = [
            flow / 8.0,
            place.start - flow,
            shift,
            peak,
            jump.clamp(-8.0, 8.0) / 2.0,
            jump / 16.0,
            trust,
        ]
        seen = (CORRELATION_SCALE * correlation, torch.cat(cues, 1))
        state, change = self.update(place.level, state, place.context, *seen)
        free, gate, local, far, share = change.split([2, 1, 1, 1, 1], 1)
        after = flow + torch.sigmoid(gate) * free
        after = after + torch.tanh(local) * shift + torch.tanh(far) * jump
        return state, Step(4 << place.level, flow, after, logits_bhwk, place.start, 1.0 + share)


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
