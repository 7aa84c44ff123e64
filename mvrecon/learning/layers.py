"""Layers and operations that several networks are built of."""

from __future__ import annotations

import math

import torch.nn.functional as F
from torch import Tensor, nn


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


def neighborhoods(values_b1hw: Tensor, dilation: int = 1) -> Tensor:
    """The 3 × 3 neighbours (b, 9, h, w) of each pixel."""
    count, _, height, width = values_b1hw.shape
    padded = F.pad(values_b1hw, (dilation,) * 4, mode="replicate")
    return F.unfold(padded, 3, dilation=dilation).view(count, 9, height, width)


def upsampled_convexly(coarse_b1hw: Tensor, weights_b9fhw: Tensor) -> Tensor:
    """Convex combinations of the 3 × 3 nearest at a larger size (RAFT, Teed & Deng, ECCV 2020).

    Args:
        coarse_b1hw: values.
        weights_b9fhw: of the nine for each of the f = factor² finer pixels, their sum 1.
    """
    fine = (weights_b9fhw * neighborhoods(coarse_b1hw)[:, :, None]).sum(1)
    return F.pixel_shuffle(fine, math.isqrt(weights_b9fhw.shape[2]))
