"""Random layers: how the shapes of a layered scene look, lie and move."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from mvrecon.synthetic.training.batch import Draws

HARMONICS = 3
LARGEST_BEND_PX = 7.0
# Shapes that move nearly with the background, as most of the world does under a moving camera.
FOLLOWING_SHARE = 0.3
# Shapes and backgrounds that show hardly any texture.
PLAIN_SHARE, PLAIN_BEHIND_SHARE = 0.3, 0.08
# Shapes that are bars or lattices, as legs, rails and fences are.
BARRED_SHARE = 0.25


@dataclass(frozen=True)
class LayeredSettings:
    """Ranges of the layered scenes.

    Attributes:
        layers: background and shapes together.
        smallest_motion_px, largest_motion_px: the typical motion of a scene lies between them,
            evenly in its logarithm; single layers move up to several times as far.
        farthest_px: no layer is shifted farther.
    """

    layers: int = 12
    smallest_motion_px: float = 0.8
    largest_motion_px: float = 40.0
    farthest_px: float = 130.0


@dataclass(frozen=True)
class Layers:
    """Parameters of all layers, leading dimensions (batch, layer); layer 0 is the back."""

    homography_bl33: Tensor
    centre_bl2: Tensor
    radius_bl: Tensor
    squeeze_bl22: Tensor
    harmonics_blk: Tensor
    phases_blk: Tensor
    corners_bl: Tensor
    hole_bl: Tensor
    bar_period_px_bl2: Tensor
    bar_share_bl: Tensor
    texture_bl: Tensor
    texture_affine_bl23: Tensor
    contrast_bl: Tensor
    tint_bl3: Tensor
    bend_px_bl: Tensor
    bend_b2hw: Tensor

    def part(self, pairs: slice) -> Layers:
        """The layers of some of the pairs."""
        return Layers(**{name: value[pairs] for name, value in vars(self).items()})


def draw_layers(
    textures: Tensor, draws: Draws, size_hw: tuple[int, int], count: int, settings: LayeredSettings
) -> Layers:
    """Layers of `count` pairs; the arguments are those of `layered_pairs`."""
    height, width = size_hw
    shape = (count, settings.layers)
    extent = torch.tensor([width, height], dtype=torch.float32, device=textures.device)
    centre_bl2 = extent * draws.uniform(-0.05, 1.05, *shape, 2)
    motion_b1 = draws.log_uniform(settings.smallest_motion_px, settings.largest_motion_px, count, 1)
    motion_bl = motion_b1 * draws.log_uniform(0.3, 3.0, *shape)
    size = float(math.hypot(width, height))
    anisotropy = draws.log_uniform(0.12, 1.0, *shape)
    stretch = torch.diag_embed(torch.stack([anisotropy, torch.ones_like(anisotropy)], -1))
    turn = _rotations(draws.uniform(0, 2 * math.pi, *shape))
    radius_bl = size * draws.log_uniform(0.02, 0.3, *shape)
    radius_bl[:, 0] = 1e6
    zoom = draws.log_uniform(0.5, 1.6, *shape)
    texture_turn = _rotations(draws.uniform(-0.5, 0.5, *shape)) * zoom[..., None, None]
    texture_shift = draws.uniform(0, 400, *shape, 2, 1)
    return Layers(
        homography_bl33=_draw_homographies(draws, motion_bl, centre_bl2, extent, settings),
        centre_bl2=centre_bl2,
        radius_bl=radius_bl,
        squeeze_bl22=turn.transpose(-1, -2) @ torch.linalg.inv(stretch) @ turn,
        harmonics_blk=0.22 * draws.normal(*shape, HARMONICS) * draws.coin(0.6, *shape, 1),
        phases_blk=draws.uniform(0, 2 * math.pi, *shape, HARMONICS),
        corners_bl=torch.where(draws.coin(0.5, *shape), draws.integers(3, 7, *shape), 0),
        hole_bl=torch.where(draws.coin(0.2, *shape), draws.uniform(0.3, 0.7, *shape), 0.0),
        bar_period_px_bl2=_bar_periods(draws, radius_bl),
        bar_share_bl=draws.log_uniform(0.1, 0.4, *shape),
        texture_bl=draws.integers(0, len(textures), *shape),
        texture_affine_bl23=torch.cat([texture_turn, texture_shift], -1),
        contrast_bl=_contrasts(draws, shape),
        tint_bl3=torch.lerp(draws.uniform(0, 1, *shape, 1), draws.uniform(0, 1, *shape, 3), 0.4),
        # Slopes stay below one, so that no layer folds.
        bend_px_bl=(motion_bl * 0.35 * draws.normal(*shape)).clamp(
            -LARGEST_BEND_PX, LARGEST_BEND_PX
        )
        * draws.coin(0.4, *shape),
        bend_b2hw=_draw_bends(draws, count, size_hw),
    )


def _bar_periods(draws: Draws, radius_bl: Tensor) -> Tensor:
    """Distances (b, l, 2) of the bars across and along each shape, px; 0: none."""
    shape = radius_bl.shape
    barred = draws.coin(BARRED_SHARE, *shape)
    barred[:, 0] = False
    along = draws.coin(0.5, *shape)
    periods = radius_bl[..., None] * draws.log_uniform(0.2, 1.2, *shape, 2)
    return torch.where(torch.stack([barred, barred & along], -1), periods, 0.0)


def _contrasts(draws: Draws, shape: tuple[int, int]) -> Tensor:
    """How much texture each layer shows; some hardly any."""
    plain = draws.log_uniform(0.01, 0.15, *shape)
    textured = draws.log_uniform(0.25, 3.0, *shape).clamp(max=1.0)
    is_plain = draws.coin(PLAIN_SHARE, *shape)
    is_plain[:, :1] = draws.coin(PLAIN_BEHIND_SHARE, shape[0], 1)
    return torch.where(is_plain, plain, textured)


def _draw_homographies(
    draws: Draws, motion_bl: Tensor, centre_bl2: Tensor, extent: Tensor, settings: LayeredSettings
) -> Tensor:
    """Shift, turn, scaling, shear and a little perspective about each layer's centre.

    Some shapes do as the background does, and hardly move over it.
    """
    shape = (len(motion_bl), motion_bl.shape[1])
    follows = draws.coin(FOLLOWING_SHARE, *shape)
    follows[:, 0] = False
    motion_bl = torch.where(follows, 0.1 * motion_bl, motion_bl)
    size = float(extent.norm())
    relative_bl = (motion_bl / size)[..., None, None]
    spin = torch.where(draws.coin(0.25, *shape), 0.25, 0.0) * (motion_bl > 3.0)
    spread = motion_bl / size * 2.0 + spin
    angle = (spread * draws.normal(*shape)).clamp(-0.8, 0.8)
    distort = (torch.eye(2, device=motion_bl.device) + relative_bl * draws.normal(*shape, 2, 2)) * (
        1.0 + (relative_bl * 1.2 * draws.normal(*shape, 1, 1)).clamp(-0.3, 0.3)
    )
    linear = _rotations(angle) @ distort.clamp(-1.6, 1.6)
    shift_bl2 = motion_bl[..., None] * draws.normal(*shape, 2)
    length = shift_bl2.norm(dim=-1, keepdim=True).clamp(min=1e-6)
    shift_bl2 = shift_bl2 * (settings.farthest_px / length).clamp(max=1.0)
    origin_bl2 = torch.where(
        torch.arange(shape[1], device=motion_bl.device)[:, None] == 0, extent / 2, centre_bl2
    )
    offset = origin_bl2 + shift_bl2 - (linear @ origin_bl2[..., None])[..., 0]
    homography = torch.zeros(*shape, 3, 3, device=motion_bl.device)
    homography[..., :2, :2] = linear
    homography[..., :2, 2] = offset
    tilt = 0.3 * relative_bl[..., 0] / size * draws.normal(*shape, 2)
    homography[..., 2, :2] = tilt.clamp(-0.15 / size, 0.15 / size)
    homography[..., 2, 2] = 1.0
    behind = homography[:, :1].expand_as(homography)
    return torch.where(follows[..., None, None], behind @ homography, homography)


def _draw_bends(draws: Draws, count: int, size_hw: tuple[int, int]) -> Tensor:
    """Smooth displacements (b, 2, h, w) of about one pixel, shared by the layers of a pair."""
    coarse = draws.normal(count, 2, size_hw[0] // 64 + 3, size_hw[1] // 64 + 3)
    return F.interpolate(coarse, size_hw, mode="bicubic", align_corners=True)


def _rotations(angle: Tensor) -> Tensor:
    cos, sin = angle.cos(), angle.sin()
    return torch.stack([torch.stack([cos, -sin], -1), torch.stack([sin, cos], -1)], -2)
