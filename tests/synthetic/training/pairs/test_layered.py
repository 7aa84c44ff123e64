from __future__ import annotations

from dataclasses import replace

import torch

from mvrecon.synthetic.training.batch import Draws, FlowPairs
from mvrecon.synthetic.training.pairs.layered import coverage, layered_pairs
from mvrecon.synthetic.training.pairs.layered_scenes import LayeredSettings, draw_layers
from mvrecon.synthetic.training.sampling import pixel_grid, sample
from mvrecon.synthetic.training.textures import procedural_textures

SIZE = (96, 128)
CPU = torch.device("cpu")
GRID = pixel_grid(*SIZE, CPU).permute(2, 0, 1)


def make(index: int = 0, largest_motion_px: float = 15.0) -> FlowPairs:
    settings = LayeredSettings(smallest_motion_px=0.3, largest_motion_px=largest_motion_px)
    return layered_pairs(procedural_textures(4), Draws(5, index, CPU), SIZE, 6, settings)


def test_second_image_warped_by_the_flow_is_the_first_where_visible():
    for batch in (make().forward, make().backward):
        target = (batch.flow_b2hw + GRID).permute(0, 2, 3, 1)
        error = (sample(batch.second_b3hw, target) - batch.first_b3hw).abs().mean(1)
        moved = (batch.second_b3hw - batch.first_b3hw).abs().mean(1)
        # What differs is bilinear interpolation and the blended outlines.
        assert error[batch.visible_bhw].median() < 0.01
        assert error[batch.visible_bhw].mean() < 0.35 * moved[batch.visible_bhw].mean()


def test_flow_there_and_back_is_nothing_where_visible():
    pairs = make()
    target = (pairs.forward.flow_b2hw + GRID).permute(0, 2, 3, 1)
    miss = (pairs.forward.flow_b2hw + sample(pairs.backward.flow_b2hw, target)).norm(dim=1)
    miss = miss[pairs.forward.visible_bhw]
    assert miss.median() < 0.01
    # Beside an outline the look-up mixes two layers.
    assert (miss < 0.1).float().mean() > 0.9


def test_hidden_pixels_are_marked():
    batch = make(1, largest_motion_px=40.0).forward
    target = (batch.flow_b2hw + GRID).permute(0, 2, 3, 1)
    outside = (target < -0.5).any(-1) | (target > target.new_tensor([127.5, 95.5])).any(-1)
    assert outside.any()
    assert not batch.visible_bhw[outside].any()
    error = (sample(batch.second_b3hw, target) - batch.first_b3hw).abs().mean(1)
    covered = ~batch.visible_bhw & ~outside
    assert error[covered].mean() > 2.0 * error[batch.visible_bhw].mean()


def test_motion_covers_small_and_large():
    flows = [make(index, 40.0).forward.flow_b2hw for index in range(6)]
    medians = torch.cat([flow.norm(dim=1).flatten(1) for flow in flows]).median(1).values
    assert medians.min() < 1.0
    assert medians.max() > 15.0


def test_shapes_move_apart_from_the_background():
    motion_px = torch.cat([make(i, 40.0).forward.flow_b2hw.norm(dim=1) for i in range(4)])
    spread_px = motion_px.flatten(1).quantile(0.95, dim=1) - motion_px.flatten(1).median(1).values
    assert spread_px.max() > 20.0


def test_the_same_seed_and_index_give_the_same_pairs():
    one, same, other = make(3), make(3), make(4)
    assert torch.equal(one.forward.second_b3hw, same.forward.second_b3hw)
    assert torch.equal(one.backward.flow_b2hw, same.backward.flow_b2hw)
    assert not torch.equal(one.forward.flow_b2hw, other.forward.flow_b2hw)


def test_a_mirrored_pair_is_still_exact():
    pairs = make(2)
    for axis in (0, 1):
        mirrored = pairs.mirrored(axis).forward
        target = (mirrored.flow_b2hw + GRID).permute(0, 2, 3, 1)
        error = (sample(mirrored.second_b3hw, target) - mirrored.first_b3hw).abs().mean(1)
        assert error[mirrored.visible_bhw].median() < 0.01


def test_some_shapes_are_cut_into_bars():
    draws = Draws(5, 3, CPU)
    settings = LayeredSettings(layers=24)
    layers = draw_layers(procedural_textures(4), draws, SIZE, 4, settings)
    barred = layers.bar_period_px_bl2[..., 0] > 0
    assert 0.1 < barred[:, 1:].float().mean() < 0.4
    assert not barred[:, 0].any()
    grid = GRID[:, None, None].expand(2, 4, 24, *SIZE)
    cut = coverage(layers, *grid)
    whole = coverage(replace(layers, bar_period_px_bl2=torch.zeros(4, 24, 2)), *grid)
    assert (cut <= whole).all()
    torch.testing.assert_close(cut[~barred], whole[~barred])
    large = barred & (whole.mean((2, 3)) > 0.02)
    kept = cut.sum((2, 3))[large] / whole.sum((2, 3))[large]
    assert large.any()
    assert kept.max() < 0.9
    assert kept.min() > 0.05
