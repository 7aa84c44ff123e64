"""SliceNet: what thin slices were like, of which thick ones are the means.

It corrects what linear interpolation makes of thick slices. All its layers see thick slices, so
that its cost does not grow with the number of those in between; weights that depend on the place in
a slice turn features into any number of thin ones (Meta-SR, Hu et al., CVPR 2019).

No layer has a bias and the first sees differences only (after Mohan et al., "Robust and
interpretable blind image denoising via bias-free convolutional neural networks", ICLR 2020):
another unit or zero of the values gives the same result in it.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mvrecon.learning.precision import full_precision


@dataclass(frozen=True)
class SliceNetSettings:
    """Sizes of the network.

    Attributes:
        channels: of all layers.
        dilations: of the blocks within slices, voxels.
        hidden: width of what turns a factor into weights.
    """

    channels: int = 32
    dilations: tuple[int, ...] = (1, 2, 4, 2, 1)
    hidden: int = 32

    @property
    def reach_kji(self) -> tuple[int, int, int]:
        """How far away a voxel can have an influence."""
        within = 1 + sum(self.dilations)
        return 1 + len(self.dilations), within, within


class Block(nn.Module):
    """Neighbours in a slice, then those across slices, and a skip."""

    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        pad = (0, dilation, dilation)
        self.within = nn.Conv3d(
            channels, channels, (1, 3, 3), padding=pad, dilation=(1, dilation, dilation), bias=False
        )
        self.across = nn.Conv3d(channels, channels, (3, 1, 1), padding=(1, 0, 0), bias=False)

    def forward(self, x: Tensor, gain_c: Tensor) -> Tensor:
        """Same shape as the input; the gain is of the change, by channel."""
        change = self.across(F.relu(self.within(x)))
        return F.relu(x + change * gain_c[:, None, None, None])


class SliceNet(nn.Module):
    """The whole network."""

    def __init__(self, settings: SliceNetSettings | None = None) -> None:
        super().__init__()
        self.settings = settings or SliceNetSettings()
        channels, hidden = self.settings.channels, self.settings.hidden
        self.stem = nn.Conv3d(1, channels, 3, bias=False)
        self.noise = nn.Parameter(torch.zeros(channels))
        self.blocks = nn.ModuleList(Block(channels, d) for d in self.settings.dilations)
        gains = channels * len(self.blocks)
        self.gains = nn.Sequential(nn.Linear(1, hidden), nn.SiLU(), nn.Linear(hidden, gains))
        last = nn.Linear(hidden, channels)
        with torch.no_grad():
            last.weight.mul_(0.1)
        self.places = nn.Sequential(nn.Linear(3, hidden), nn.SiLU(), last)
        self.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]

    def forward(self, thick_b1khw: Tensor, noise_b: Tensor, factor: int) -> Tensor:
        """Thin slices (b, k · factor, h, w).

        Args:
            thick_b1khw: values, of any unit.
            noise_b: standard deviation of their noise.
            factor: thin slices to a thick one, at least 2.
        """
        plain = F.interpolate(thick_b1khw, scale_factor=(factor, 1, 1), mode="trilinear")
        per_factor = thick_b1khw.new_tensor([1.0 / factor])
        gains = 1.0 + self.gains(per_factor).view(len(self.blocks), -1)
        x = self._differences(thick_b1khw, noise_b)
        for block, gain_c in zip(self.blocks, gains, strict=True):
            x = block(x, gain_c.to(x.dtype))
        place_r = (torch.arange(factor, device=x.device) + 0.5) / factor - 0.5
        places_r3 = torch.stack([place_r, place_r.square(), per_factor.expand(factor)], 1)
        weights = self.places(places_r3)[:, :, None, None, None]
        thin = F.conv3d(x, weights.to(x.dtype)).float()
        return plain[:, 0] + thin.transpose(1, 2).flatten(1, 2)

    def _differences(self, thick_b1khw: Tensor, noise_b: Tensor) -> Tensor:
        """First features: nothing where values are all alike, whatever they are."""
        with full_precision(thick_b1khw.device):
            weight = self.stem.weight - self.stem.weight.mean(dim=(2, 3, 4), keepdim=True)
            padded = F.pad(thick_b1khw.float(), (1,) * 6, mode="replicate")
            noise = noise_b[:, None] * self.noise
            return F.relu(F.conv3d(padded, weight) + noise[..., None, None, None])
