from __future__ import annotations

import torch

from mvrecon.synthetic.training.batch import Draws, FlowPairs
from mvrecon.synthetic.training.pairs.mixture import flying_pairs, scene_pairs
from mvrecon.synthetic.training.sampling import pixel_grid, sample
from mvrecon.synthetic.training.textures import procedural_textures

SIZE = (96, 128)
CPU = torch.device("cpu")


def make(index: int = 0, layered: int = 6, rigid: int = 6) -> FlowPairs:
    return flying_pairs(procedural_textures(4), Draws(3, index, CPU), SIZE, layered, rigid)


def test_visible_things_move_farther_than_in_other_scenes():
    others = scene_pairs(procedural_textures(4), Draws(3, 0, CPU), SIZE, 6, 6).forward
    flying = make().forward
    moved_px, other_px = (
        part.flow_b2hw.norm(dim=1)[part.visible_bhw].mean() for part in (flying, others)
    )
    assert moved_px > 1.5 * other_px
    assert (flying.flow_b2hw.norm(dim=1)[flying.visible_bhw] > 0.3 * SIZE[1]).any()
    assert flying.visible_bhw.float().mean() > 0.5


def test_forward_and_backward_flow_undo_each_other_where_visible():
    pairs = make()
    target = (pairs.forward.flow_b2hw.permute(0, 2, 3, 1)) + pixel_grid(*SIZE, CPU)
    back = sample(pairs.backward.flow_b2hw, target)
    miss = (pairs.forward.flow_b2hw + back).norm(dim=1)[pairs.forward.visible_bhw]
    assert miss.median() < 0.05
    assert (miss < 0.5).float().mean() > 0.9


def test_one_kind_alone_can_be_asked_for():
    assert len(make(1, 1, 0).forward.flow_b2hw) == len(make(1, 0, 1).forward.flow_b2hw) == 1
