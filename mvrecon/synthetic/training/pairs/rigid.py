"""Rigid scenes: a camera that moves through a room of solids, some of them moving too.

Rays are cast exactly, so flow, depth and occlusion are exact. Every solid fits a cube of side
2 that is scaled along its axes, turned and shifted; the room is a cube seen from inside.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from mvrecon.synthetic.training.batch import Draws, FlowBatch, FlowPairs
from mvrecon.synthetic.training.pairs.rigid_scenes import RigidScenes, RigidSettings, draw_scenes
from mvrecon.synthetic.training.pairs.solids import (
    FIRST_CURVED,
    FIRST_FIELD,
    FIRST_MESH,
    NEAREST,
    SOLIDS,
    hits,
)
from mvrecon.synthetic.training.sampling import inside, look_up, pixel_grid, sample

TEXELS_PER_UNIT = 110.0
ROOM_TEXELS_PER_UNIT = 45.0
DEPTH_TOLERANCE = 0.02


@dataclass(frozen=True)
class RigidView:
    """What one camera sees.

    Attributes:
        image_b3hw: RGB in 0…1.
        depth_bhw: along the optical axis.
        solid_bhw: which solid is hit.
        point_b3hw: where, in the solid's axes, world units.
    """

    image_b3hw: Tensor
    depth_bhw: Tensor
    solid_bhw: Tensor
    point_b3hw: Tensor


def rigid_pairs(
    textures_nhw3: Tensor,
    draws: Draws,
    size_hw: tuple[int, int],
    count: int,
    settings: RigidSettings,
) -> FlowPairs:
    """Make `count` pairs with flow both ways.

    Args:
        textures_nhw3: uint8, RGB.
        draws: the random numbers.
        size_hw: image size.
        count: pairs.
        settings: ranges.
    """
    scenes = draw_scenes(len(textures_nhw3), draws, size_hw, count, settings)
    # On a CPU one pair at a time stays in the cache.
    chunk = count if textures_nhw3.is_cuda else 1
    parts = []
    for start in range(0, count, chunk):
        part = scenes.part(slice(start, start + chunk))
        first, second = (render(part, time, textures_nhw3, size_hw) for time in (0, 1))
        parts.append(
            FlowPairs(flow_between(part, first, second, 1), flow_between(part, second, first, 0))
        )
    return FlowPairs.concatenate(parts)


def render(
    scenes: RigidScenes, time: int, textures_nhw3: Tensor, size_hw: tuple[int, int]
) -> RigidView:
    """Cast a ray through each pixel."""
    height, width = size_hw
    grid_2n = pixel_grid(height, width, textures_nhw3.device).view(-1, 2).T
    pixels_3n = torch.cat([grid_2n, torch.ones_like(grid_2n[:1])])
    rays_b3n = torch.linalg.inv(scenes.k_b33) @ pixels_3n
    solid_from_cam = (
        torch.linalg.inv(scenes.world_from_solid_b2p44[:, time])
        @ scenes.world_from_cam_b244[:, time, None]
    )
    # In units of the solids, whose depth along the ray is that of the camera.
    directions = solid_from_cam[..., :3, :3] @ rays_b3n[:, None] / scenes.size_bp3[..., None]
    origins = (solid_from_cam[..., :3, 3] / scenes.size_bp3)[..., None]
    depths, solid = hits(origins, directions, scenes.waves, scenes.vertices).min(1)
    index = solid[:, None, None].expand(-1, 1, 3, -1)
    unit = origins.expand_as(directions).gather(1, index)[:, 0]
    unit = unit + depths[:, None] * directions.gather(1, index)[:, 0]
    colours_bn3 = _colours(scenes, time, solid, unit, textures_nhw3)
    size_b3n = _of_solid(scenes.size_bp3, solid).transpose(1, 2)
    shape = (-1, 3, height, width)
    return RigidView(
        colours_bn3.transpose(1, 2).reshape(shape),
        depths.view(-1, height, width),
        solid.view(-1, height, width),
        (unit * size_b3n).reshape(shape),
    )


def flow_between(
    scenes: RigidScenes, source: RigidView, target: RigidView, target_time: int
) -> FlowBatch:
    """Flow from one view to the other, the solids' own motion included."""
    count, _, height, width = source.image_b3hw.shape
    solid = source.solid_bhw.flatten(1)
    cam_from_solid = (
        torch.linalg.inv(scenes.world_from_cam_b244[:, target_time, None])
        @ scenes.world_from_solid_b2p44[:, target_time]
    )
    points_b3n = source.point_b3hw.flatten(2)
    moved_b3n = torch.zeros_like(points_b3n)
    for index in range(SOLIDS):
        pose = cam_from_solid[:, index]
        here = pose[:, :3, :3] @ points_b3n + pose[:, :3, 3:]
        moved_b3n = torch.where((solid == index)[:, None], here, moved_b3n)
    depth_bn = moved_b3n[:, 2].clamp(min=1e-3)
    pixels_b2n = (scenes.k_b33 @ moved_b3n)[:, :2] / depth_bn[:, None]
    target_bhw2 = pixels_b2n.transpose(1, 2).view(count, height, width, 2)
    grid_hw2 = pixel_grid(height, width, solid.device)
    found = torch.stack([target.depth_bhw, target.solid_bhw.float()], 1)
    found_depth, found_solid = sample(found, target_bhw2, "nearest").unbind(1)
    depth_bhw = depth_bn.view(count, height, width)
    same = (found_solid == source.solid_bhw) & (
        (found_depth - depth_bhw).abs() < DEPTH_TOLERANCE * depth_bhw
    )
    flow_b2hw = (target_bhw2 - grid_hw2).permute(0, 3, 1, 2).clamp(-1e3, 1e3).contiguous()
    visible = same & inside(target_bhw2, (height, width))
    visible &= moved_b3n[:, 2].view(count, height, width) > NEAREST
    return FlowBatch(source.image_b3hw, target.image_b3hw, flow_b2hw, visible)


def _colours(
    scenes: RigidScenes, time: int, solid_bn: Tensor, unit_b3n: Tensor, textures_nhw3: Tensor
) -> Tensor:
    """Shaded texture (b, n, 3), laid on the side of a cube that the point is nearest to."""
    axis = unit_b3n.abs().argmax(1, keepdim=True)
    is_field_bn = (solid_bn >= FIRST_FIELD) & (solid_bn < FIRST_MESH)
    axis = torch.where(is_field_bn[:, None], 1, axis)
    density = torch.where(solid_bn == 0, ROOM_TEXELS_PER_UNIT, TEXELS_PER_UNIT)[:, None]
    points = unit_b3n * _of_solid(scenes.size_bp3, solid_bn).transpose(1, 2) * density
    u, v = (points.gather(1, (axis + turn) % 3)[:, 0] for turn in (1, 2))
    # Opposite and neighbouring sides show different parts of the texture.
    side = axis[:, 0] * 2 + (unit_b3n.gather(1, axis)[:, 0] > 0)
    texture = _of_solid(scenes.texture_bp[..., None], solid_bn)[..., 0]
    colours = look_up(textures_nhw3, texture, u + 97.0 * side, v + 61.0 * side)
    paint = torch.stack([scenes.grey_bp, scenes.contrast_bp], -1)
    grey, contrast = _of_solid(paint, solid_bn).chunk(2, -1)
    colours = torch.lerp(grey, colours, contrast)
    normal = torch.nn.functional.one_hot(axis[:, 0], 3) * unit_b3n.sign().transpose(1, 2)
    curved = (solid_bn >= FIRST_CURVED) & ~is_field_bn
    normal = torch.where(curved[..., None], unit_b3n.transpose(1, 2), normal)
    rotation = scenes.world_from_solid_b2p44[:, time, :, :3, :3]
    light_bp3 = (rotation.transpose(-1, -2) @ scenes.light_b3[:, None, :, None])[..., 0]
    toward = (normal * _of_solid(light_bp3, solid_bn)).sum(-1)
    return (colours * (0.75 + 0.35 * toward.clamp(-1.0, 1.0))[..., None]).clamp(max=1.0)


def _of_solid(values_bpc: Tensor, solid_bn: Tensor) -> Tensor:
    """Value (b, n, c) of the solid that each ray hits."""
    return values_bpc.gather(1, solid_bn[..., None].expand(-1, -1, values_bpc.shape[-1]))
