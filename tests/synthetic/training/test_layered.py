from __future__ import annotations

import torch

from mvrecon.synthetic.training.batch import Draws, FlowBatch
from mvrecon.synthetic.training.layered import LayeredSettings, layered_batch
from mvrecon.synthetic.training.sampling import pixel_grid, sample
from mvrecon.synthetic.training.textures import procedural_textures

SIZE = (96, 128)
CPU = torch.device("cpu")


def make(index: int = 0, largest_motion_px: float = 15.0) -> FlowBatch:
    settings = LayeredSettings(largest_motion_px=largest_motion_px)
    return layered_batch(procedural_textures(4), Draws(5, index, CPU), SIZE, 6, settings)


def test_second_image_warped_by_the_flow_is_the_first_where_visible():
    batch = make()
    target = (batch.flow_b2hw + pixel_grid(*SIZE, CPU).permute(2, 0, 1)).permute(0, 2, 3, 1)
    warped = sample(batch.second_b3hw, target)
    error = (warped - batch.first_b3hw).abs().mean(1)
    moved = (batch.second_b3hw - batch.first_b3hw).abs().mean(1)
    # What differs is bilinear interpolation and the blended outlines.
    assert error[batch.visible_bhw].median() < 0.01
    assert error[batch.visible_bhw].mean() < 0.35 * moved[batch.visible_bhw].mean()


def test_hidden_pixels_are_marked():
    batch = make(1, largest_motion_px=40.0)
    target = (batch.flow_b2hw + pixel_grid(*SIZE, CPU).permute(2, 0, 1)).permute(0, 2, 3, 1)
    outside = (target < -0.5).any(-1) | (target > target.new_tensor([127.5, 95.5])).any(-1)
    assert outside.any()
    assert not batch.visible_bhw[outside].any()
    error = (sample(batch.second_b3hw, target) - batch.first_b3hw).abs().mean(1)
    covered = ~batch.visible_bhw & ~outside
    assert error[covered].mean() > 2.0 * error[batch.visible_bhw].mean()


def test_motion_covers_small_and_large():
    magnitudes = torch.cat([make(i, 40.0).flow_b2hw.norm(dim=1).flatten(1) for i in range(6)])
    medians = magnitudes.median(1).values
    assert medians.min() < 1.0
    assert medians.max() > 15.0


def test_the_same_seed_and_index_give_the_same_pairs():
    one, same, other = make(3), make(3), make(4)
    assert torch.equal(one.second_b3hw, same.second_b3hw)
    assert torch.equal(one.flow_b2hw, same.flow_b2hw)
    assert not torch.equal(one.flow_b2hw, other.flow_b2hw)


def test_a_mirrored_pair_is_still_exact():
    batch = make(2)
    for axis in (0, 1):
        mirrored = batch.mirrored(axis)
        grid = pixel_grid(*SIZE, CPU).permute(2, 0, 1)
        target = (mirrored.flow_b2hw + grid).permute(0, 2, 3, 1)
        error = (sample(mirrored.second_b3hw, target) - mirrored.first_b3hw).abs().mean(1)
        assert error[mirrored.visible_bhw].median() < 0.01
