"""Features of one image for mvflow: what is matched, and what the update sees besides."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mvrecon.learning.layers import ResidualBlock

SATURATED = 10.0


@dataclass(frozen=True)
class Encoded:
    """Features of one image at 1/4 and 1/8: matched ones (unit length) and context."""

    features: tuple[Tensor, ...]
    context: tuple[Tensor, ...]


class Encoder(nn.Module):
    """Four levels, 1/4 to 1/32, with what the coarser ones see added to the finer (FPN).

    Args:
        widths: channels of the levels, finest first.
        channels: of the matched features, and of the context.
    """

    def __init__(self, widths: tuple[int, ...], channels: int) -> None:
        super().__init__()
        self.stem = nn.Conv2d(48, widths[0], 3, padding=1)
        self.levels = nn.ModuleList([ResidualBlock(widths[0])])
        for finer, width in pairwise(widths):
            shrink = nn.Conv2d(finer, width, 4, stride=2, padding=1)
            self.levels.append(nn.Sequential(shrink, nn.ReLU(), ResidualBlock(width)))
        self.laterals = nn.ModuleList(nn.Conv2d(width, channels, 1) for width in widths)
        self.smooth = nn.ModuleList(nn.Conv2d(channels, channels, 3, padding=1) for _ in widths)
        self.heads = nn.ModuleList(nn.Conv2d(channels, 2 * channels, 1) for _ in range(2))

    def forward(self, image_b3hw: Tensor) -> Encoded:
        """Features of normalised images."""
        x = F.relu(self.stem(F.pixel_unshuffle(image_b3hw, 4)))
        levels = []
        for level in self.levels:
            x = level(x)
            levels.append(x)
        above: Tensor | None = None
        merged: list[Tensor] = []
        parts = zip(levels, self.laterals, self.smooth, strict=True)
        for level_bchw, lateral, smooth in reversed(list(parts)):
            here = lateral(level_bchw)
            if above is not None:
                here = here + F.interpolate(above, scale_factor=2.0, mode="nearest")
            above = F.relu(smooth(here))
            merged.insert(0, above)
        matched, context = [], []
        for head, seen in zip(self.heads, merged[:2], strict=True):
            features, rest = head(seen).chunk(2, dim=1)
            matched.append(_descriptors(features.float()).to(features.dtype))
            # Processors are slow with the tiny numbers that tanh meets far out, where it is ±1.
            context.append(torch.tanh(rest.clamp(-SATURATED, SATURATED)))
        return Encoded(tuple(matched), tuple(context))


def _descriptors(features_bchw: Tensor) -> Tensor:
    """Features of unit length, freed from what all places of an image have in common."""
    centred = features_bchw - features_bchw.mean((2, 3), keepdim=True)
    spread = centred.square().mean((2, 3), keepdim=True)
    return F.normalize(centred * (spread + 1e-5).rsqrt(), dim=1)
