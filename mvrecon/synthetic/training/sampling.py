"""Looking up images at pixel coordinates."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def pixel_grid(height: int, width: int, device: torch.device) -> Tensor:
    """Pixel centres (h, w, 2), x then y."""
    y_hw, x_hw = torch.meshgrid(
        torch.arange(height, dtype=torch.float32, device=device),
        torch.arange(width, dtype=torch.float32, device=device),
        indexing="ij",
    )
    return torch.stack([x_hw, y_hw], dim=-1)


def inside(xy_bhw2: Tensor, size_hw: tuple[int, int]) -> Tensor:
    """Whether pixel coordinates lie between the centres of an image's outermost pixels."""
    limit = xy_bhw2.new_tensor([size_hw[1] - 1, size_hw[0] - 1])
    return ((xy_bhw2 >= 0) & (xy_bhw2 <= limit)).all(-1)


def sample(
    image_bchw: Tensor, xy_bhw2: Tensor, mode: str = "bilinear", padding: str = "border"
) -> Tensor:
    """Values (b, c, h', w') of images at pixel coordinates (b, h', w', 2)."""
    height, width = image_bchw.shape[-2:]
    scale = xy_bhw2.new_tensor([2.0 / max(width - 1, 1), 2.0 / max(height - 1, 1)])
    return F.grid_sample(
        image_bchw, xy_bhw2 * scale - 1.0, mode=mode, padding_mode=padding, align_corners=True
    )


def look_up(textures_nhw3: Tensor, index: Tensor, u: Tensor, v: Tensor) -> Tensor:
    """Bilinear colours (…, 3) in 0…1 of uint8 textures, mirrored beyond their borders.

    Args:
        textures_nhw3: all textures.
        index: (…) which one.
        u: (…) column, in texels.
        v: (…) row, in texels.
    """
    _, height, width, _ = textures_nhw3.shape
    u, v = _mirror(u, width), _mirror(v, height)
    left, top = u.floor(), v.floor()
    right_weight, bottom_weight = (u - left)[..., None], (v - top)[..., None]
    corner = ((index * height + top.long()) * width + left.long()).flatten()
    texels = textures_nhw3.view(-1, 3)

    def tap(offset: int) -> Tensor:
        return texels.index_select(0, corner + offset).view(*u.shape, 3).float()

    upper = torch.lerp(tap(0), tap(1), right_weight)
    lower = torch.lerp(tap(width), tap(width + 1), right_weight)
    return torch.lerp(upper, lower, bottom_weight) / 255.0


def _mirror(position: Tensor, size: int) -> Tensor:
    """Fold positions into 0…size − 1 (exclusive of the last texel, so that a neighbour exists)."""
    last = size - 1.001
    return last - (torch.remainder(position, 2 * last) - last).abs()
