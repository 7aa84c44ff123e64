"""All-pairs correlation of two feature maps and the lookup of windows in it."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

PYRAMID_LEVELS = 4


class CorrelationPyramid:
    """Similarity of each pixel of the first map to each of the second, at four scales.

    Pooling the second map's features equals pooling the volume, and is far cheaper.

    Args:
        first_chw, second_chw: features of equal size.
    """

    def __init__(self, first_chw: Tensor, second_chw: Tensor) -> None:
        channels = first_chw.shape[0]
        first_nc = first_chw.reshape(channels, -1).T / channels**0.5
        self.levels_nhw = []
        for level in range(PYRAMID_LEVELS):
            pooled_chw = F.avg_pool2d(second_chw, 2**level) if level else second_chw
            volume_nm = first_nc @ pooled_chw.reshape(channels, -1)
            self.levels_nhw.append(volume_nm.view(-1, *pooled_chw.shape[1:]))

    def lookup(self, target_n2: Tensor, radius: int) -> Tensor:
        """Correlation in a square window round a target, at each scale.

        Args:
            target_n2: for each pixel of the first map the (x, y) looked at in the second.
            radius: of the window, in pixels of each scale.

        Returns:
            (n, scales · (2·radius + 1)²); x is the slow axis of a window; 0 outside the map.
        """
        windows = [
            _windows(volume_nhw, target_n2 / 2**level, radius)
            for level, volume_nhw in enumerate(self.levels_nhw)
        ]
        return torch.cat(windows, dim=1)


def _windows(volume_nhw: Tensor, target_n2: Tensor, radius: int) -> Tensor:
    """Bilinear samples; one fraction serves the whole window, so each cell is read once."""
    height, width = volume_nhw.shape[1:]
    corner_n2 = target_n2.floor()
    fraction_n2 = (target_n2 - corner_n2)[:, None, None]
    steps = torch.arange(-radius, radius + 2)
    # Clamped first: a diverged flow must not overflow the integers.
    x_nk = corner_n2[:, :1].clamp(-width, 2 * width).long() + steps
    y_nk = corner_n2[:, 1:].clamp(-height, 2 * height).long() + steps
    inside_nkk = _inside(x_nk, width)[:, :, None] & _inside(y_nk, height)[:, None]
    index_nkk = y_nk.clamp(0, height - 1)[:, None] * width + x_nk.clamp(0, width - 1)[:, :, None]
    cells_nkk = volume_nhw.flatten(1).gather(1, index_nkk.flatten(1)).view_as(index_nkk)
    cells_nkk = cells_nkk.float().mul_(inside_nkk)
    rows_nkk = torch.lerp(cells_nkk[:, :-1], cells_nkk[:, 1:], fraction_n2[..., 0])
    return torch.lerp(rows_nkk[..., :-1], rows_nkk[..., 1:], fraction_n2[..., 1]).flatten(1)


def _inside(index: Tensor, size: int) -> Tensor:
    return (index >= 0) & (index < size)
