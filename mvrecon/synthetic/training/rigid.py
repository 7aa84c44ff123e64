"""Rigid scenes: a camera that moves through a room of solids, some of them moving too.

Rays are cast analytically, so flow, depth and occlusion are exact. Every solid is a unit
solid (cube of side 2, sphere and upright cylinder of radius 1) scaled along its axes, turned
and shifted; the room is a cube seen from inside.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from mvrecon.synthetic.training.batch import Draws, FlowBatch
from mvrecon.synthetic.training.sampling import look_up, pixel_grid, sample

BOXES, ELLIPSOIDS, CYLINDERS = 4, 2, 2
SOLIDS = 1 + BOXES + ELLIPSOIDS + CYLINDERS
NEAREST = 0.2
TEXELS_PER_UNIT = 110.0
ROOM_TEXELS_PER_UNIT = 45.0
DEPTH_TOLERANCE = 0.02


@dataclass(frozen=True)
class RigidSettings:
    """Ranges of the rigid scenes.

    Attributes:
        smallest_motion_px, largest_motion_px: the camera's typical motion lies between them,
            evenly in its logarithm.
        moving_share: of the solids that move by themselves.
    """

    smallest_motion_px: float = 0.3
    largest_motion_px: float = 25.0
    moving_share: float = 0.35


@dataclass(frozen=True)
class RigidScenes:
    """Scenes at two times; time is the dimension of size 2.

    Attributes:
        k_b33: calibration.
        world_from_cam_b244: camera poses (OpenCV axes).
        world_from_solid_b2p44: poses of the solids; the first is the room.
        size_bp3: half lengths along the solids' axes.
        texture_bp: which texture each wears.
        contrast_bp: how much of the texture is left over its grey.
        grey_bp: that grey, 0…1.
        light_b3: direction towards the light.
    """

    k_b33: Tensor
    world_from_cam_b244: Tensor
    world_from_solid_b2p44: Tensor
    size_bp3: Tensor
    texture_bp: Tensor
    contrast_bp: Tensor
    grey_bp: Tensor
    light_b3: Tensor

    def part(self, scenes: slice) -> RigidScenes:
        """Some of the scenes."""
        return RigidScenes(**{name: value[scenes] for name, value in vars(self).items()})


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


@dataclass(frozen=True)
class RigidPairs:
    """Two views of each scene with the flow both ways."""

    scenes: RigidScenes
    first: RigidView
    second: RigidView
    forward: FlowBatch
    backward: FlowBatch


def rigid_batch(
    textures_nhw3: Tensor,
    draws: Draws,
    size_hw: tuple[int, int],
    count: int,
    settings: RigidSettings,
) -> FlowBatch:
    """Make `count` pairs with flow from the first to the second.

    Args:
        textures_nhw3: uint8, RGB.
        draws: the random numbers.
        size_hw: image size.
        count: pairs.
        settings: ranges.
    """
    scenes = draw_scenes(len(textures_nhw3), draws, size_hw, count, settings)
    chunk = count if textures_nhw3.is_cuda else 1
    batches = []
    for start in range(0, count, chunk):
        part = scenes.part(slice(start, start + chunk))
        first, second = (render(part, time, textures_nhw3, size_hw) for time in (0, 1))
        batches.append(flow_between(part, first, second, 1))
    return FlowBatch.concatenate(batches)


def rigid_pairs(
    textures_nhw3: Tensor,
    draws: Draws,
    size_hw: tuple[int, int],
    count: int,
    settings: RigidSettings,
) -> RigidPairs:
    """The same with the scenes, depth and the flow back."""
    scenes = draw_scenes(len(textures_nhw3), draws, size_hw, count, settings)
    first, second = (render(scenes, time, textures_nhw3, size_hw) for time in (0, 1))
    forward = flow_between(scenes, first, second, 1)
    backward = flow_between(scenes, second, first, 0)
    return RigidPairs(scenes, first, second, forward, backward)


def draw_scenes(
    textures: int, draws: Draws, size_hw: tuple[int, int], count: int, settings: RigidSettings
) -> RigidScenes:
    """Random scenes whose typical flow has the wanted size."""
    height, width = size_hw
    focal = width * draws.log_uniform(0.6, 1.6, count)
    k_b33 = torch.zeros(count, 3, 3, device=draws.device)
    k_b33[:, 0, 0] = k_b33[:, 1, 1] = focal
    k_b33[:, 0, 2], k_b33[:, 1, 2], k_b33[:, 2, 2] = (width - 1) / 2, (height - 1) / 2, 1.0
    depth = draws.uniform(3.0, 9.0, count, SOLIDS)
    reach = depth[..., None] * draws.uniform(-0.6, 0.6, count, SOLIDS, 2) * width
    place = torch.cat([reach / focal[:, None, None], depth[..., None]], -1)
    size = draws.log_uniform(0.15, 1.6, count, SOLIDS, 1) * draws.log_uniform(
        0.4, 1.6, count, SOLIDS, 3
    )
    turn = draws.normal(count, SOLIDS, 3)
    # The room: large, hardly turned, around everything.
    size[:, 0] = draws.uniform(1.0, 1.6, count, 3) * size.new_tensor([6.0, 3.5, 11.0])
    place[:, 0] = 0.5 * draws.normal(count, 3)
    turn[:, 0] = 0.25 * draws.normal(count, 3)
    motion = draws.log_uniform(settings.smallest_motion_px, settings.largest_motion_px, count, 1)
    radians = motion / focal[:, None]
    camera = _pose(0.4 * radians * draws.normal(count, 3), 4.0 * radians * draws.normal(count, 3))
    moves = draws.coin(settings.moving_share, count, SOLIDS, 1)
    moves[:, 0] = False
    step = moves * radians[..., None]
    own_turn = 2.0 * step * draws.normal(count, SOLIDS, 3)
    own_shift = 5.0 * step * draws.normal(count, SOLIDS, 3)
    before = _pose(turn, place)
    after = _pose(own_turn, own_shift + place) @ _pose(turn, torch.zeros_like(place))
    light = draws.normal(count, 3)
    return RigidScenes(
        k_b33=k_b33,
        world_from_cam_b244=torch.stack([torch.eye(4).to(camera).expand_as(camera), camera], 1),
        world_from_solid_b2p44=torch.stack([before, after], 1),
        size_bp3=size,
        texture_bp=draws.integers(0, textures, count, SOLIDS),
        contrast_bp=draws.log_uniform(0.12, 4.0, count, SOLIDS).clamp(max=1.0),
        grey_bp=draws.uniform(0.1, 0.9, count, SOLIDS),
        light_b3=light / light.norm(dim=-1, keepdim=True),
    )


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
    depths, solid = _hits(origins, directions).min(1)
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
    limit = target_bhw2.new_tensor([width - 1, height - 1])
    inside = ((target_bhw2 >= 0) & (target_bhw2 <= limit)).all(-1)
    flow_b2hw = (target_bhw2 - grid_hw2).permute(0, 3, 1, 2).clamp(-1e3, 1e3).contiguous()
    visible = same & inside & (moved_b3n[:, 2].view(count, height, width) > NEAREST)
    return FlowBatch(source.image_b3hw, target.image_b3hw, flow_b2hw, visible)


def _hits(origins: Tensor, directions: Tensor) -> Tensor:
    """Depth (b, p, n) at which each solid is hit; infinite where it is missed."""
    ellipsoids = 1 + BOXES + ELLIPSOIDS
    enter, leave = _slabs(origins[:, : 1 + BOXES], directions[:, : 1 + BOXES])
    boxes = torch.where(leave > enter, enter, math.inf)
    # The room is seen from inside, so what counts is where the ray leaves it.
    boxes = torch.cat([leave[:, :1], boxes[:, 1:]], 1)
    part = slice(1 + BOXES, ellipsoids)
    enter, leave = _round(origins[:, part], directions[:, part], 1.0)
    balls = torch.where(leave > enter, enter, math.inf)
    origin, direction = origins[:, ellipsoids:], directions[:, ellipsoids:]
    around = origins.new_tensor([1.0, 0.0, 1.0])[:, None]
    enter, leave = _round(origin * around, direction * around, 1.0)
    bottom, top = _slabs(origin[:, :, 1:2], direction[:, :, 1:2])
    enter, leave = torch.maximum(enter, bottom), torch.minimum(leave, top)
    cylinders = torch.where(leave > enter, enter, math.inf)
    hits = torch.cat([boxes, balls, cylinders], 1)
    return torch.where(hits > NEAREST, hits, math.inf)


def _slabs(origins: Tensor, directions: Tensor) -> tuple[Tensor, Tensor]:
    inverse = 1.0 / torch.where(directions.abs() < 1e-9, 1e-9, directions)
    one, other = (-1.0 - origins) * inverse, (1.0 - origins) * inverse
    return torch.minimum(one, other).amax(2), torch.maximum(one, other).amin(2)


def _round(origins: Tensor, directions: Tensor, radius: float) -> tuple[Tensor, Tensor]:
    a = directions.square().sum(2).clamp(min=1e-12)
    half_b = (origins * directions).sum(2)
    c = origins.square().sum(2) - radius * radius
    root = (half_b * half_b - a * c).clamp(min=0.0).sqrt()
    return (-half_b - root) / a, (-half_b + root) / a


def _colours(
    scenes: RigidScenes, time: int, solid_bn: Tensor, unit_b3n: Tensor, textures_nhw3: Tensor
) -> Tensor:
    """Shaded texture (b, n, 3), laid on the side of a cube that the point is nearest to."""
    axis = unit_b3n.abs().argmax(1, keepdim=True)
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
    curved = solid_bn > BOXES
    normal = torch.where(curved[..., None], unit_b3n.transpose(1, 2), normal)
    rotation = scenes.world_from_solid_b2p44[:, time, :, :3, :3]
    light_bp3 = (rotation.transpose(-1, -2) @ scenes.light_b3[:, None, :, None])[..., 0]
    toward = (normal * _of_solid(light_bp3, solid_bn)).sum(-1)
    return (colours * (0.75 + 0.35 * toward.clamp(-1.0, 1.0))[..., None]).clamp(max=1.0)


def _of_solid(values_bpc: Tensor, solid_bn: Tensor) -> Tensor:
    """Value (b, n, c) of the solid that each ray hits."""
    return values_bpc.gather(1, solid_bn[..., None].expand(-1, -1, values_bpc.shape[-1]))


def _pose(rotation_vector: Tensor, translation: Tensor) -> Tensor:
    """Rigid transforms (…, 4, 4) from axis times angle, and shift."""
    x, y, z = rotation_vector.unbind(-1)
    zero = torch.zeros_like(x)
    skew = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).view(*x.shape, 3, 3)
    pose = torch.zeros(*x.shape, 4, 4, device=x.device)
    pose[..., :3, :3] = torch.linalg.matrix_exp(skew)
    pose[..., :3, 3] = translation
    pose[..., 3, 3] = 1.0
    return pose
