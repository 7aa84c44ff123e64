"""Layered scenes: textured shapes that move over a background.

In the manner of FlyingChairs (Dosovitskiy et al., ICCV 2015) and AutoFlow (Sun et al.,
CVPR 2021). Each layer lives in canonical coordinates X. A pixel x of the first image shows
X = x + d(x) with a smooth displacement d; a pixel x′ of the second shows X = G⁻¹(x′) with a
homography G. So the flow x′ − x = G(x + d(x)) − x is exact without inverting anything else.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from mvrecon.synthetic.training.batch import Draws, FlowBatch
from mvrecon.synthetic.training.sampling import look_up, pixel_grid, sample

HARMONICS = 3
EDGE_SOFTNESS_PX = 0.6


@dataclass(frozen=True)
class LayeredSettings:
    """Ranges of the layered scenes.

    Attributes:
        layers: background and shapes together.
        smallest_motion_px, largest_motion_px: the typical motion of a scene lies between them,
            evenly in its logarithm; single layers move up to about three times as far.
    """

    layers: int = 7
    smallest_motion_px: float = 0.2
    largest_motion_px: float = 30.0


@dataclass(frozen=True)
class _Layers:
    """Parameters of all layers, leading dimensions (batch, layer); layer 0 is the back."""

    homography_bl33: Tensor
    centre_bl2: Tensor
    radius_bl: Tensor
    squeeze_bl22: Tensor
    harmonics_blk: Tensor
    phases_blk: Tensor
    corners_bl: Tensor
    hole_bl: Tensor
    texture_bl: Tensor
    texture_affine_bl23: Tensor
    contrast_bl: Tensor
    tint_bl3: Tensor
    bend_px_bl: Tensor
    bend_b2hw: Tensor

    def part(self, pairs: slice) -> _Layers:
        """The layers of some of the pairs."""
        return _Layers(**{name: value[pairs] for name, value in vars(self).items()})


def layered_batch(
    textures: Tensor, draws: Draws, size_hw: tuple[int, int], count: int, settings: LayeredSettings
) -> FlowBatch:
    """Make `count` pairs.

    Args:
        textures: (n, h, w, 3) uint8, RGB.
        draws: the random numbers.
        size_hw: image size.
        count: pairs.
        settings: ranges.
    """
    layers = _draw_layers(textures, draws, size_hw, count, settings)
    # On a CPU one pair at a time stays in the cache: several times faster than all at once.
    chunk = count if textures.is_cuda else 1
    return FlowBatch.concatenate(
        [
            _render_pairs(textures, layers.part(slice(start, start + chunk)), size_hw)
            for start in range(0, count, chunk)
        ]
    )


def _render_pairs(textures: Tensor, layers: _Layers, size_hw: tuple[int, int]) -> FlowBatch:
    grid_2hw = pixel_grid(*size_hw, textures.device).permute(2, 0, 1).contiguous()
    x_hw, y_hw = grid_2hw
    amplitude = layers.bend_px_bl[..., None, None]
    bend = layers.bend_b2hw[:, :, None]
    first_xy = (x_hw + amplitude * bend[:, 0], y_hw + amplitude * bend[:, 1])
    inverse_bl33 = torch.linalg.inv(layers.homography_bl33)
    second_xy = _transform(inverse_bl33[:, :, None, None], x_hw, y_hw)
    first_b3hw, first_owner_bhw = _composite(textures, layers, first_xy)
    second_b3hw, second_owner_bhw = _composite(textures, layers, second_xy)
    owned_x, owned_y = (part.gather(1, first_owner_bhw[:, None])[:, 0] for part in first_xy)
    homography_bhw33 = _of_layer(layers.homography_bl33, first_owner_bhw)
    target_b2hw = torch.stack(_transform(homography_bhw33, owned_x, owned_y), 1)
    target_bhw2 = target_b2hw.permute(0, 2, 3, 1)
    seen_owner = sample(second_owner_bhw[:, None].float(), target_bhw2, "nearest")[:, 0].long()
    limit = target_bhw2.new_tensor([size_hw[1] - 1, size_hw[0] - 1])
    inside_bhw = ((target_bhw2 >= 0) & (target_bhw2 <= limit)).all(-1)
    visible_bhw = inside_bhw & (seen_owner == first_owner_bhw)
    return FlowBatch(first_b3hw, second_b3hw, target_b2hw - grid_2hw, visible_bhw)


def _transform(h: Tensor, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Map coordinates by homographies (…, 3, 3)."""
    w = h[..., 2, 0] * x + h[..., 2, 1] * y + h[..., 2, 2]
    return (
        (h[..., 0, 0] * x + h[..., 0, 1] * y + h[..., 0, 2]) / w,
        (h[..., 1, 0] * x + h[..., 1, 1] * y + h[..., 1, 2]) / w,
    )


def _of_layer(values_bl: Tensor, layer_bhw: Tensor) -> Tensor:
    """Per pixel (b, h, w, …) the value of the given layer."""
    pair = torch.arange(len(layer_bhw), device=layer_bhw.device)[:, None, None]
    return values_bl[pair, layer_bhw]


def _rotations(angle: Tensor) -> Tensor:
    cos, sin = angle.cos(), angle.sin()
    return torch.stack([torch.stack([cos, -sin], -1), torch.stack([sin, cos], -1)], -2)


def _draw_layers(
    textures: Tensor, draws: Draws, size_hw: tuple[int, int], count: int, settings: LayeredSettings
) -> _Layers:
    height, width = size_hw
    shape = (count, settings.layers)
    extent = torch.tensor([width, height], dtype=torch.float32, device=textures.device)
    centre_bl2 = extent * draws.uniform(-0.05, 1.05, *shape, 2)
    motion_b1 = draws.log_uniform(settings.smallest_motion_px, settings.largest_motion_px, count, 1)
    motion_bl = motion_b1 * draws.log_uniform(0.4, 2.5, *shape)
    size = float(math.hypot(width, height))
    anisotropy = draws.log_uniform(0.25, 1.0, *shape)
    stretch = torch.diag_embed(torch.stack([anisotropy, torch.ones_like(anisotropy)], -1))
    turn = _rotations(draws.uniform(0, 2 * math.pi, *shape))
    radius_bl = size * draws.log_uniform(0.05, 0.35, *shape)
    radius_bl[:, 0] = 1e6
    zoom = draws.log_uniform(0.5, 1.6, *shape)
    texture_turn = _rotations(draws.uniform(-0.5, 0.5, *shape)) * zoom[..., None, None]
    texture_shift = draws.uniform(0, 400, *shape, 2, 1)
    return _Layers(
        homography_bl33=_draw_homographies(draws, motion_bl, centre_bl2, extent, size),
        centre_bl2=centre_bl2,
        radius_bl=radius_bl,
        squeeze_bl22=turn.transpose(-1, -2) @ torch.linalg.inv(stretch) @ turn,
        harmonics_blk=0.22 * draws.normal(*shape, HARMONICS) * draws.coin(0.6, *shape, 1),
        phases_blk=draws.uniform(0, 2 * math.pi, *shape, HARMONICS),
        corners_bl=torch.where(draws.coin(0.5, *shape), draws.integers(3, 7, *shape), 0),
        hole_bl=torch.where(draws.coin(0.2, *shape), draws.uniform(0.3, 0.7, *shape), 0.0),
        texture_bl=draws.integers(0, len(textures), *shape),
        texture_affine_bl23=torch.cat([texture_turn, texture_shift], -1),
        contrast_bl=draws.log_uniform(0.2, 3.0, *shape).clamp(max=1.0),
        tint_bl3=torch.lerp(draws.uniform(0, 1, *shape, 1), draws.uniform(0, 1, *shape, 3), 0.4),
        # Slopes stay below one, so that no layer folds.
        bend_px_bl=(motion_bl * 0.35 * draws.normal(*shape)).clamp(-7.0, 7.0)
        * draws.coin(0.4, *shape),
        bend_b2hw=_draw_bends(draws, count, size_hw),
    )


def _draw_homographies(
    draws: Draws, motion_bl: Tensor, centre_bl2: Tensor, extent: Tensor, size: float
) -> Tensor:
    """Shift, turn, scaling, shear and a little perspective about each layer's centre."""
    shape = tuple(motion_bl.shape)
    relative_bl = (motion_bl / size)[..., None, None]
    angle = (motion_bl / size * draws.normal(*shape) * 2.0).clamp(-0.6, 0.6)
    distort = (torch.eye(2, device=motion_bl.device) + relative_bl * draws.normal(*shape, 2, 2)) * (
        1.0 + (relative_bl * 1.2 * draws.normal(*shape, 1, 1)).clamp(-0.3, 0.3)
    )
    linear = _rotations(angle) @ distort.clamp(-1.6, 1.6)
    shift_bl2 = motion_bl[..., None] * draws.normal(*shape, 2)
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
    return homography


def _draw_bends(draws: Draws, count: int, size_hw: tuple[int, int]) -> Tensor:
    """Smooth displacements (b, 2, h, w) of about one pixel, shared by the layers of a pair."""
    coarse = draws.normal(count, 2, size_hw[0] // 64 + 3, size_hw[1] // 64 + 3)
    return F.interpolate(coarse, size_hw, mode="bicubic", align_corners=True)


def _composite(
    textures: Tensor, layers: _Layers, xy: tuple[Tensor, Tensor]
) -> tuple[Tensor, Tensor]:
    """Colours (b, 3, h, w) and the index of the front layer (b, h, w).

    Only the front layer and the one behind it are coloured: edges blend the two.
    """
    alpha_blhw = _coverage(layers, *xy)
    order_l11 = torch.arange(alpha_blhw.shape[1], device=alpha_blhw.device)[:, None, None]
    owner_bhw = ((alpha_blhw > 0.5) * order_l11).amax(1)
    present_blhw = (alpha_blhw > 0.02) * order_l11
    front_bhw = present_blhw.amax(1)
    front_alpha_bhw = alpha_blhw.gather(1, front_bhw[:, None])[:, 0]
    image_bhw3 = _colours(textures, layers, xy, front_bhw, torch.ones_like(front_bhw) > 0)
    edge_bhw = front_alpha_bhw < 0.98
    behind_bhw = (present_blhw * (present_blhw < front_bhw[:, None])).amax(1)
    behind_n3 = _colours(textures, layers, xy, behind_bhw, edge_bhw)
    front_alpha_n1 = front_alpha_bhw[edge_bhw][:, None]
    image_bhw3 = image_bhw3.view(*front_bhw.shape, 3)
    image_bhw3[edge_bhw] = torch.lerp(behind_n3, image_bhw3[edge_bhw], front_alpha_n1)
    return image_bhw3.permute(0, 3, 1, 2), owner_bhw


def _colours(
    textures: Tensor,
    layers: _Layers,
    xy: tuple[Tensor, Tensor],
    layer_bhw: Tensor,
    where_bhw: Tensor,
) -> Tensor:
    """Colours (n, 3) of the given layer at the pixels asked for."""
    pair, row, column = torch.nonzero(where_bhw, as_tuple=True)
    layer = layer_bhw[pair, row, column]
    x, y = (part[pair, layer, row, column] for part in xy)
    affine = layers.texture_affine_bl23[pair, layer]
    colours_n3 = look_up(
        textures,
        layers.texture_bl[pair, layer],
        affine[:, 0, 0] * x + affine[:, 0, 1] * y + affine[:, 0, 2],
        affine[:, 1, 0] * x + affine[:, 1, 1] * y + affine[:, 1, 2],
    )
    contrast_n1 = layers.contrast_bl[pair, layer][:, None]
    return torch.lerp(layers.tint_bl3[pair, layer], colours_n3, contrast_n1)


def _coverage(layers: _Layers, x_blhw: Tensor, y_blhw: Tensor) -> Tensor:
    """Opacity (b, l, h, w): star-shaped outlines given by their radius over the angle."""
    x = x_blhw - layers.centre_bl2[..., 0, None, None]
    y = y_blhw - layers.centre_bl2[..., 1, None, None]
    squeeze = layers.squeeze_bl22[:, :, None, None]
    x, y = (
        squeeze[..., 0, 0] * x + squeeze[..., 0, 1] * y,
        squeeze[..., 1, 0] * x + squeeze[..., 1, 1] * y,
    )
    distance = torch.hypot(x, y)
    angle = torch.atan2(y, x)
    outline = torch.ones_like(distance)
    for order in range(HARMONICS):
        amplitude = layers.harmonics_blk[..., order, None, None] / (order + 1)
        phase = layers.phases_blk[..., order, None, None]
        outline = outline + amplitude * torch.cos((order + 2) * angle + phase)
    sector = 2 * math.pi / layers.corners_bl.clamp(min=3)[..., None, None]
    polygon = torch.cos(sector / 2) / torch.cos(torch.remainder(angle, sector) - sector / 2)
    outline = torch.where(layers.corners_bl[..., None, None] > 0, polygon, outline.clamp(min=0.15))
    edge = outline * layers.radius_bl[..., None, None]
    outer = torch.sigmoid((edge - distance) / EDGE_SOFTNESS_PX)
    hole = layers.hole_bl[..., None, None]
    inner = torch.sigmoid((edge * hole - distance) / EDGE_SOFTNESS_PX)
    return torch.where(hole > 0, outer * (1.0 - inner), outer)
