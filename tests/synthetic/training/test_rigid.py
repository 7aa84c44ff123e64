from __future__ import annotations

import torch

from mvrecon.synthetic.training.batch import Draws
from mvrecon.synthetic.training.rigid import RigidPairs, RigidSettings, rigid_batch, rigid_pairs
from mvrecon.synthetic.training.sampling import pixel_grid, sample
from mvrecon.synthetic.training.textures import procedural_textures

SIZE = (96, 128)
CPU = torch.device("cpu")


def make(moving_share: float, index: int = 0) -> RigidPairs:
    settings = RigidSettings(2.0, 15.0, moving_share)
    return rigid_pairs(procedural_textures(4), Draws(9, index, CPU), SIZE, 5, settings)


def test_flow_of_a_still_scene_follows_from_depth_and_pose():
    pairs = make(moving_share=0.0)
    k = pairs.scenes.k_b33
    grid = pixel_grid(*SIZE, CPU)
    pixels = torch.cat([grid, torch.ones_like(grid[..., :1])], -1).view(-1, 3).T
    rays = torch.linalg.inv(k) @ pixels
    points = rays * pairs.first.depth_bhw.flatten(1)[:, None]
    poses = pairs.scenes.world_from_cam_b244
    second_from_first = torch.linalg.inv(poses[:, 1]) @ poses[:, 0]
    moved = second_from_first[:, :3, :3] @ points + second_from_first[:, :3, 3:]
    projected = k @ moved
    target = (projected[:, :2] / projected[:, 2:]).view(-1, 2, *SIZE)
    expected = target - grid.permute(2, 0, 1)
    in_front = (moved[:, 2] > 0.5).view(-1, *SIZE)
    error = (pairs.forward.flow_b2hw - expected).norm(dim=1)
    assert in_front.float().mean() > 0.9
    assert error[in_front].max() < 0.02


def test_second_image_warped_by_the_flow_is_the_first_where_visible():
    # Light is on the solids' sides, so those that turn change their shade: none moves here.
    pairs = make(moving_share=0.0)
    grid = pixel_grid(*SIZE, CPU).permute(2, 0, 1)
    for batch in (pairs.forward, pairs.backward):
        target = (batch.flow_b2hw + grid).permute(0, 2, 3, 1)
        error = (sample(batch.second_b3hw, target) - batch.first_b3hw).abs().mean(1)
        moved = (batch.second_b3hw - batch.first_b3hw).abs().mean(1)
        assert error[batch.visible_bhw].median() < 0.02
        assert error[batch.visible_bhw].mean() < 0.5 * moved[batch.visible_bhw].mean()


def test_forward_and_backward_flow_undo_each_other():
    pairs = make(moving_share=1.0)
    grid = pixel_grid(*SIZE, CPU).permute(2, 0, 1)
    target = (pairs.forward.flow_b2hw + grid).permute(0, 2, 3, 1)
    back = sample(pairs.backward.flow_b2hw, target)
    miss = (pairs.forward.flow_b2hw + back).norm(dim=1)[pairs.forward.visible_bhw]
    assert miss.median() < 0.02
    assert (miss < 0.5).float().mean() > 0.9


def test_solids_move_by_themselves():
    still, moving = make(0.0), make(1.0)
    assert torch.equal(still.first.depth_bhw, moving.first.depth_bhw)
    on_solids = still.first.solid_bhw > 0
    change = (still.forward.flow_b2hw - moving.forward.flow_b2hw).norm(dim=1)
    assert change[on_solids].median() > 0.1
    assert change[~on_solids].max() < 1e-3


def test_a_batch_is_what_the_pairs_hold():
    settings = RigidSettings(2.0, 15.0, 0.5)
    textures = procedural_textures(4)
    batch = rigid_batch(textures, Draws(9, 1, CPU), SIZE, 3, settings)
    pairs = rigid_pairs(textures, Draws(9, 1, CPU), SIZE, 3, settings)
    torch.testing.assert_close(batch.flow_b2hw, pairs.forward.flow_b2hw, atol=1e-3, rtol=1e-4)
