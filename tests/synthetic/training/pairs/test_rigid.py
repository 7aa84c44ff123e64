from __future__ import annotations

import torch

from mvrecon.synthetic.training.batch import Draws, FlowPairs
from mvrecon.synthetic.training.pairs.rigid import RigidView, flow_between, render, rigid_pairs
from mvrecon.synthetic.training.pairs.rigid_scenes import RigidScenes, RigidSettings, draw_scenes
from mvrecon.synthetic.training.sampling import pixel_grid, sample
from mvrecon.synthetic.training.textures import procedural_textures

SIZE = (96, 128)
CPU = torch.device("cpu")
GRID = pixel_grid(*SIZE, CPU)


def make(moving_share: float) -> tuple[RigidScenes, list[RigidView], FlowPairs]:
    textures = procedural_textures(4)
    settings = RigidSettings(2.0, 15.0, moving_share)
    scenes = draw_scenes(len(textures), Draws(9, 0, CPU), SIZE, 5, settings)
    views = [render(scenes, time, textures, SIZE) for time in (0, 1)]
    first, second = views
    forward, backward = (
        flow_between(scenes, first, second, 1),
        flow_between(scenes, second, first, 0),
    )
    return scenes, views, FlowPairs(forward, backward)


def test_flow_of_a_still_scene_follows_from_depth_and_pose():
    scenes, views, pairs = make(moving_share=0.0)
    k = scenes.k_b33
    pixels = torch.cat([GRID, torch.ones_like(GRID[..., :1])], -1).view(-1, 3).T
    points = torch.linalg.inv(k) @ pixels * views[0].depth_bhw.flatten(1)[:, None]
    poses = scenes.world_from_cam_b244
    second_from_first = torch.linalg.inv(poses[:, 1]) @ poses[:, 0]
    moved = second_from_first[:, :3, :3] @ points + second_from_first[:, :3, 3:]
    projected = k @ moved
    target = (projected[:, :2] / projected[:, 2:]).view(-1, 2, *SIZE)
    in_front = (moved[:, 2] > 0.5).view(-1, *SIZE)
    error = (pairs.forward.flow_b2hw - (target - GRID.permute(2, 0, 1))).norm(dim=1)
    assert in_front.float().mean() > 0.9
    assert error[in_front].max() < 0.05


def test_second_image_warped_by_the_flow_is_the_first_where_visible():
    # Light is on the solids' sides, so those that turn change their shade: none moves here.
    _, _, pairs = make(moving_share=0.0)
    for batch in (pairs.forward, pairs.backward):
        target = (batch.flow_b2hw + GRID.permute(2, 0, 1)).permute(0, 2, 3, 1)
        error = (sample(batch.second_b3hw, target) - batch.first_b3hw).abs().mean(1)
        moved = (batch.second_b3hw - batch.first_b3hw).abs().mean(1)
        assert error[batch.visible_bhw].median() < 0.02
        assert error[batch.visible_bhw].mean() < 0.5 * moved[batch.visible_bhw].mean()


def test_forward_and_backward_flow_undo_each_other():
    _, _, pairs = make(moving_share=1.0)
    target = (pairs.forward.flow_b2hw + GRID.permute(2, 0, 1)).permute(0, 2, 3, 1)
    back = sample(pairs.backward.flow_b2hw, target)
    miss = (pairs.forward.flow_b2hw + back).norm(dim=1)[pairs.forward.visible_bhw]
    assert miss.median() < 0.02
    assert (miss < 0.5).float().mean() > 0.9


def test_solids_move_by_themselves():
    (_, still, unmoved), (_, views, moved) = make(0.0), make(1.0)
    assert torch.equal(still[0].depth_bhw, views[0].depth_bhw)
    on_solids = still[0].solid_bhw > 0
    change = (unmoved.forward.flow_b2hw - moved.forward.flow_b2hw).norm(dim=1)
    # A camera that moves sideways sees a still world: the two eyes of a stereo pair.
    assert change[on_solids].mean() > 0.5
    assert change[~on_solids].max() < 1e-3


def test_pairs_are_views_of_random_scenes():
    textures, settings = procedural_textures(4), RigidSettings(2.0, 15.0, 0.5)
    one, same = (rigid_pairs(textures, Draws(9, 1, CPU), SIZE, 3, settings) for _ in range(2))
    assert torch.equal(one.forward.flow_b2hw, same.forward.flow_b2hw)
    assert torch.equal(one.forward.second_b3hw, one.backward.first_b3hw)
    assert one.forward.visible_bhw.float().mean() > 0.5
