"""Building blocks of the depth network: encoder, evidence pyramid, recurrent update."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mvrecon.learning.layers import ResidualBlock


class Encoder(nn.Module):
    """Features of one image: at 1/2, 1/4 and 1/8, and those to match at 1/4 (unit length)."""

    def __init__(self, widths: tuple[int, int, int], features: int) -> None:
        super().__init__()
        half, quarter, eighth = widths
        self.stem = nn.Conv2d(12, half, 3, padding=1)
        self.quarter = nn.Sequential(
            nn.Conv2d(half, quarter, 4, 2, 1), nn.ReLU(), ResidualBlock(quarter)
        )
        self.eighth = nn.Sequential(
            nn.Conv2d(quarter, eighth, 4, 2, 1), nn.ReLU(), ResidualBlock(eighth)
        )
        self.lateral = nn.Conv2d(eighth, quarter, 1)
        self.match = nn.Conv2d(quarter, features, 3, padding=1)

    def forward(self, image_b3hw: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Features of normalised images."""
        half = F.relu(self.stem(F.pixel_unshuffle(image_b3hw, 2)))
        quarter = self.quarter(half)
        eighth = self.eighth(quarter)
        merged = F.relu(quarter + doubled(self.lateral(eighth)))
        matched = self.match(merged).float()
        matched = matched - matched.mean((2, 3), keepdim=True)
        return half, quarter, eighth, F.normalize(matched, dim=1)


class Pyramid(nn.Module):
    """U-Net over the context and the evidence of the start, from 1/4 to 1/32 and back."""

    def __init__(self, inputs: int, eighth: int, widths: tuple[int, int, int, int]) -> None:
        super().__init__()
        w4, w8, w16, w32 = widths
        self.enter = nn.Sequential(
            nn.Conv2d(inputs, w4, 3, padding=1), nn.ReLU(), ResidualBlock(w4)
        )
        self.to8 = nn.Conv2d(w4, w8, 3, 2, 1)
        self.join8 = nn.Conv2d(w8 + eighth, w8, 1)
        self.at8 = ResidualBlock(w8)
        self.to16 = nn.Sequential(nn.Conv2d(w8, w16, 3, 2, 1), nn.ReLU(), ResidualBlock(w16))
        self.to32 = nn.Sequential(nn.Conv2d(w16, w32, 3, 2, 1), nn.ReLU(), ResidualBlock(w32))
        self.up16 = nn.Conv2d(w32 + w16, w16, 3, padding=1)
        self.up8 = nn.Conv2d(w16 + w8, w8, 3, padding=1)
        self.up4 = nn.Conv2d(w8 + w4, w4, 3, padding=1)

    def forward(self, inputs: Tensor, eighth: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """What is known at 1/32, 1/16, 1/8 and 1/4."""
        x4 = self.enter(inputs)
        x8 = self.at8(F.relu(self.join8(torch.cat([F.relu(self.to8(x4)), eighth], 1))))
        x16 = self.to16(x8)
        x32 = self.to32(x16)
        y16 = F.relu(self.up16(torch.cat([doubled(x32), x16], 1)))
        y8 = F.relu(self.up8(torch.cat([doubled(y16), x8], 1)))
        y4 = F.relu(self.up4(torch.cat([doubled(y8), x4], 1)))
        return x32, y16, y8, y4


class Update(nn.Module):
    """One recurrent step: matching costs and cues → state → what to change.

    The changes: a free one and its gate, and how far to follow the local match.
    """

    def __init__(self, inputs: int, context: int, hidden: int) -> None:
        super().__init__()
        self.seen = nn.Conv2d(inputs, hidden, 3, padding=1)
        self.gates = nn.Conv2d(2 * hidden + context, 2 * hidden, 3, padding=1)
        self.candidate = nn.Conv2d(2 * hidden + context, hidden, 3, padding=1)
        self.head = nn.Conv2d(hidden, hidden, 3, padding=1)
        self.change = zeroed(nn.Conv2d(hidden, 3, 1))

    def forward(self, state: Tensor, context: Tensor, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """The new state and the changes (b, 3, h, w)."""
        seen = F.relu(self.seen(inputs))
        update, reset = torch.sigmoid(self.gates(torch.cat([state, seen, context], 1))).chunk(2, 1)
        proposed = torch.tanh(self.candidate(torch.cat([reset * state, seen, context], 1)))
        state = state + update * (proposed - state)
        return state, self.change(F.relu(self.head(state))).float()


class Upsampler(nn.Module):
    """Convex upsampling by 4 (RAFT, Teed & Deng 2020), and the uncertainty."""

    def __init__(self, hidden: int, context: int, half: int) -> None:
        super().__init__()
        self.detail = nn.Conv2d(4 * half, hidden, 1)
        self.trunk = nn.Conv2d(2 * hidden + context, 2 * hidden, 3, padding=1)
        self.mask = nn.Conv2d(2 * hidden, 9 * 16, 1)
        self.mixture = zeroed(nn.Conv2d(2 * hidden, 3, 1))

    def forward(self, state: Tensor, context: Tensor, half: Tensor) -> tuple[Tensor, Tensor]:
        """Weights for `upsampled_convexly`, and the mixture's parameters (b, 3, h, w)."""
        fine = F.relu(self.detail(F.pixel_unshuffle(half, 2)))
        x = F.relu(self.trunk(torch.cat([state, context, fine], 1)))
        count, _, height, width = x.shape
        weights = self.mask(x).float().view(count, 9, 16, height, width).softmax(1)
        return weights, self.mixture(x).float()


def zeroed(layer: nn.Conv2d) -> nn.Conv2d:
    """A last layer that says nothing before it is trained."""
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)
    return layer


def doubled(x: Tensor) -> Tensor:
    """Bilinear, twice the size."""
    return F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)


def pooled_by_weight(
    values_b1hw: Tensor, weights_b1hw: Tensor, levels: int
) -> list[tuple[Tensor, Tensor]]:
    """Weighted means over 2 × 2, 4 × 4, … pixels with the mean weights."""
    total, weight = values_b1hw * weights_b1hw, weights_b1hw
    pyramid = []
    for _ in range(levels):
        total, weight = F.avg_pool2d(total, 2), F.avg_pool2d(weight, 2)
        pyramid.append((total / weight, weight))
    return pyramid
