"""Random rigid scenes at two times: a room of solids, a camera that moves, some of them too."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from mvrecon.synthetic.training.batch import Draws
from mvrecon.synthetic.training.pairs.solids import (
    FIRST_FIELD,
    FIRST_MESH,
    SOLIDS,
    draw_meshes,
    draw_waves,
)

# How cameras move: freely, ahead as a car does, or sideways as from one eye to the other.
DRIVING_SHARE, SIDEWAYS_SHARE = 0.25, 0.25
# Solids, and rooms about them, that show hardly any texture.
PLAIN_SHARE, PLAIN_ROOM_SHARE = 0.3, 0.08


@dataclass(frozen=True)
class RigidSettings:
    """Ranges of the rigid scenes.

    Attributes:
        smallest_motion_px, largest_motion_px: the camera's typical motion lies between them,
            evenly in its logarithm.
        moving_share: of the solids that move by themselves.
        depths: between which the solids lie, evenly in the logarithm.
        largest_share: half the size of a solid over its depth is at most this.
    """

    smallest_motion_px: float = 0.8
    largest_motion_px: float = 45.0
    moving_share: float = 0.35
    depths: tuple[float, float] = (2.0, 10.0)
    largest_share: float = 0.3


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
        waves: of the height fields (b, FIELDS, WAVES, 4).
        vertices: of the meshes (b, MESHES, 42, 3).
    """

    k_b33: Tensor
    world_from_cam_b244: Tensor
    world_from_solid_b2p44: Tensor
    size_bp3: Tensor
    texture_bp: Tensor
    contrast_bp: Tensor
    grey_bp: Tensor
    light_b3: Tensor
    waves: Tensor
    vertices: Tensor

    def part(self, scenes: slice) -> RigidScenes:
        """Some of the scenes."""
        return RigidScenes(**{name: value[scenes] for name, value in vars(self).items()})


def draw_scenes(
    textures: int, draws: Draws, size_hw: tuple[int, int], count: int, settings: RigidSettings
) -> RigidScenes:
    """Random scenes whose typical flow has the wanted size."""
    height, width = size_hw
    focal = width * draws.log_uniform(0.6, 1.6, count)
    k_b33 = torch.zeros(count, 3, 3, device=draws.device)
    k_b33[:, 0, 0] = k_b33[:, 1, 1] = focal
    k_b33[:, 0, 2], k_b33[:, 1, 2], k_b33[:, 2, 2] = (width - 1) / 2, (height - 1) / 2, 1.0
    depth = draws.log_uniform(*settings.depths, count, SOLIDS)
    reach = depth[..., None] * draws.uniform(-0.6, 0.6, count, SOLIDS, 2) * width
    place = torch.cat([reach / focal[:, None, None], depth[..., None]], -1)
    size = draws.log_uniform(0.08, 1.4, count, SOLIDS, 1) * draws.log_uniform(
        0.2, 1.6, count, SOLIDS, 3
    )
    # What is near is small, so that nothing fills the view.
    size = torch.minimum(size, settings.largest_share * depth[..., None])
    turn = draws.normal(count, SOLIDS, 3)
    # Height fields are wide and low, like ground.
    field = slice(FIRST_FIELD, FIRST_MESH)
    size[:, field] *= size.new_tensor([3.0, 0.8, 3.0])
    # The room: large, hardly turned, around everything.
    size[:, 0] = draws.uniform(1.0, 1.6, count, 3) * size.new_tensor([6.0, 3.5, 11.0])
    place[:, 0] = 0.5 * draws.normal(count, 3)
    turn[:, 0] = 0.25 * draws.normal(count, 3)
    motion = draws.log_uniform(settings.smallest_motion_px, settings.largest_motion_px, count, 1)
    radians = motion / focal[:, None]
    ahead, sideways, camera = _camera_motion(draws, radians, focal / width)
    share = torch.where(sideways, 0.0, settings.moving_share)[:, None]
    moves = draws.uniform(0.0, 1.0, count, SOLIDS, 1) < share[..., None]
    moves[:, 0] = False
    # Before a car that drives ahead things move about as fast as the camera does.
    step = moves * radians[..., None] * torch.where(ahead, 0.5, 1.0)[:, None, None]
    own_turn = (3.0 * step * draws.normal(count, SOLIDS, 3)).clamp(-0.7, 0.7)
    own_shift = 5.0 * step * draws.normal(count, SOLIDS, 3)
    before = _pose(turn, place)
    after = _pose(own_turn, own_shift + place) @ _pose(turn, torch.zeros_like(place))
    light = draws.normal(count, 3)
    plain = draws.coin(PLAIN_SHARE, count, SOLIDS)
    plain[:, :1] = draws.coin(PLAIN_ROOM_SHARE, count, 1)
    return RigidScenes(
        k_b33=k_b33,
        world_from_cam_b244=torch.stack([torch.eye(4).to(camera).expand_as(camera), camera], 1),
        world_from_solid_b2p44=torch.stack([before, after], 1),
        size_bp3=size,
        texture_bp=draws.integers(0, textures, count, SOLIDS),
        contrast_bp=torch.where(
            plain,
            draws.log_uniform(0.01, 0.15, count, SOLIDS),
            draws.log_uniform(0.2, 4.0, count, SOLIDS).clamp(max=1.0),
        ),
        grey_bp=draws.uniform(0.1, 0.9, count, SOLIDS),
        light_b3=light / light.norm(dim=-1, keepdim=True),
        waves=draw_waves(draws, count),
        vertices=draw_meshes(draws, count),
    )


def _camera_motion(
    draws: Draws, radians_b1: Tensor, focal_widths_b: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Which cameras drive ahead, which move sideways, and world_from_cam of the second view."""
    count = len(radians_b1)
    kind = draws.uniform(0.0, 1.0, count)
    ahead = kind < DRIVING_SHARE
    sideways = (kind >= DRIVING_SHARE) & (kind < DRIVING_SHARE + SIDEWAYS_SHARE)
    turn = 0.4 * radians_b1 * draws.normal(count, 3)
    turn = torch.where(ahead[:, None], 0.3 * turn, torch.where(sideways[:, None], 0.0, turn))
    free = 4.0 * radians_b1 * draws.normal(count, 3)
    sign = torch.where(draws.coin(0.5, count, 1), 1.0, -1.0)
    pace = draws.log_uniform(0.5, 1.5, count, 1) * sign
    ahead_axes = torch.cat([0.1 * draws.normal(count, 2), torch.ones_like(sign)], 1)
    # Flow grows from the centre to the borders, where it has the wanted size.
    driven = (10.0 * radians_b1 * focal_widths_b[:, None] * pace).clamp(-1.2, 1.2) * ahead_axes
    shifted = 5.0 * radians_b1 * pace * pace.new_tensor([1.0, 0.0, 0.0])
    shift = torch.where(ahead[:, None], driven, torch.where(sideways[:, None], shifted, free))
    return ahead, sideways, _pose(turn, shift)


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
