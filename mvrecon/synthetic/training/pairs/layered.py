"""Layered scenes: textured shapes that move over a background.

In the manner of FlyingChairs (Dosovitskiy et al., ICCV 2015) and AutoFlow (Sun et al.,
CVPR 2021). Each layer lives in canonical coordinates X. A pixel x of the first image shows
X = x + d(x) with a smooth displacement d; a pixel x′ of the second shows X = G⁻¹(x′) with a
homography G. So the flow x′ − x = G(x + d(x)) − x is exact; the way back solves
x + d(x) = G⁻¹(x′) by fixed-point iteration, which converges fast because d is smooth.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from mvrecon.synthetic.training.batch import Draws, FlowBatch, FlowPairs
from mvrecon.synthetic.training.pairs.layered_scenes import (
    HARMONICS,
    LayeredSettings,
    Layers,
    draw_layers,
)
from mvrecon.synthetic.training.sampling import inside, look_up, pixel_grid, sample

EDGE_SOFTNESS_PX = 0.6
INVERSION_STEPS = 6


def layered_pairs(
    textures: Tensor, draws: Draws, size_hw: tuple[int, int], count: int, settings: LayeredSettings
) -> FlowPairs:
    """Make `count` pairs with flow both ways.

    Args:
        textures: (n, h, w, 3) uint8, RGB.
        draws: the random numbers.
        size_hw: image size.
        count: pairs.
        settings: ranges.
    """
    layers = draw_layers(textures, draws, size_hw, count, settings)
    # On a CPU one pair at a time stays in the cache: several times faster than all at once.
    chunk = count if textures.is_cuda else 1
    return FlowPairs.concatenate(
        [
            _render_pairs(textures, layers.part(slice(start, start + chunk)), size_hw)
            for start in range(0, count, chunk)
        ]
    )


def _render_pairs(textures: Tensor, layers: Layers, size_hw: tuple[int, int]) -> FlowPairs:
    x_hw, y_hw = pixel_grid(*size_hw, textures.device).permute(2, 0, 1)
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
    source_b2hw = _unbend(layers, second_xy, second_owner_bhw)
    images = (first_b3hw, second_b3hw)
    owners = (first_owner_bhw, second_owner_bhw)
    return FlowPairs(
        _flow(images, owners, target_b2hw), _flow(images[::-1], owners[::-1], source_b2hw)
    )


def _unbend(layers: Layers, xy_blhw: tuple[Tensor, Tensor], owner_bhw: Tensor) -> Tensor:
    """Where in the first image (b, 2, h, w) the owners' canonical points lie."""
    canonical_b2hw = torch.cat([part.gather(1, owner_bhw[:, None]) for part in xy_blhw], 1)
    amplitude_b1hw = _of_layer(layers.bend_px_bl, owner_bhw)[:, None]
    source_b2hw = canonical_b2hw
    if not bool(amplitude_b1hw.any()):
        return source_b2hw
    for _ in range(INVERSION_STEPS):
        bend_b2hw = sample(layers.bend_b2hw, source_b2hw.permute(0, 2, 3, 1))
        source_b2hw = canonical_b2hw - amplitude_b1hw * bend_b2hw
    return source_b2hw


def _flow(
    images: tuple[Tensor, Tensor], owners_bhw: tuple[Tensor, Tensor], target_b2hw: Tensor
) -> FlowBatch:
    """One direction; a point is visible where its target shows the same layer."""
    height, width = target_b2hw.shape[-2:]
    target_bhw2 = target_b2hw.permute(0, 2, 3, 1)
    seen_owner = sample(owners_bhw[1][:, None].float(), target_bhw2, "nearest")[:, 0].long()
    visible_bhw = inside(target_bhw2, (height, width)) & (seen_owner == owners_bhw[0])
    grid_2hw = pixel_grid(height, width, target_b2hw.device).permute(2, 0, 1)
    return FlowBatch(*images, target_b2hw - grid_2hw, visible_bhw)


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


def _composite(
    textures: Tensor, layers: Layers, xy: tuple[Tensor, Tensor]
) -> tuple[Tensor, Tensor]:
    """Colours (b, 3, h, w) and the index of the front layer (b, h, w).

    Only the front layer and the one behind it are coloured: edges blend the two.
    """
    alpha_blhw = coverage(layers, *xy)
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
    layers: Layers,
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


def coverage(layers: Layers, x_blhw: Tensor, y_blhw: Tensor) -> Tensor:
    """Opacity (b, l, h, w): star-shaped outlines given by their radius over the angle.

    Some have a hole, some are cut into bars or lattices.
    """
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
    shape = torch.where(hole > 0, outer * (1.0 - inner), outer)
    return shape * _bars(layers, x, y)


def _bars(layers: Layers, x_blhw: Tensor, y_blhw: Tensor) -> Tensor:
    """What of a shape (b, l, h, w) its bars leave; all of it where there are none."""
    none, kept = torch.ones_like(x_blhw), torch.zeros_like(x_blhw)
    half_share = layers.bar_share_bl[..., None, None] / 2
    for axis, place in enumerate((x_blhw, y_blhw)):
        period_px = layers.bar_period_px_bl2[..., axis, None, None]
        away = (torch.remainder(place / period_px.clamp(min=1.0), 1.0) - 0.5).abs()
        bar = torch.sigmoid((half_share - away) * period_px / EDGE_SOFTNESS_PX)
        kept = torch.where(period_px > 0, torch.maximum(kept, bar), kept)
    return torch.where(layers.bar_period_px_bl2[..., 0, None, None] > 0, kept, none)
