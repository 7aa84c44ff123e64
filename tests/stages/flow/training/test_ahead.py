from __future__ import annotations

import pytest
import torch

from mvrecon.synthetic.training.textures import procedural_textures
from stages.flow.training import ahead as training_ahead
from stages.flow.training.ahead import PairMaker, PairsAhead, Pieces
from stages.flow.training.supervision import SyntheticSample

SMALL = Pieces((64, 96), 2, flying_share=0.5)


def test_scenes_are_used_again_mirrored_with_the_start_mirrored_too(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(training_ahead, "SCENES_APART", 0)
    monkeypatch.setattr(training_ahead, "spoil", lambda start, draws: start)
    make = PairMaker(procedural_textures(4), SMALL, 1, None)
    one, mirrored, _, both = (make(step) for step in range(4))
    flow = one.pairs.forward.flow_b2hw
    assert torch.equal(mirrored.pairs.forward.flow_b2hw[:, 0], -flow[:, 0].flip(-1))
    assert torch.equal(both.pairs.forward.flow_b2hw[:, 1], -flow[:, 1].flip(-1).flip(-2))
    assert one.start_b2hw is not None and mirrored.start_b2hw is not None
    assert torch.equal(mirrored.start_b2hw[:, 0], -one.start_b2hw[:, 0].flip(-1))
    assert torch.equal(mirrored.start_b2hw[:, 1], one.start_b2hw[:, 1].flip(-1))
    assert not torch.equal(mirrored.pairs.forward.first_b3hw, one.pairs.forward.first_b3hw.flip(-1))
    assert not torch.equal(make(4).pairs.forward.flow_b2hw, flow)


def test_old_scenes_and_starts_are_forgotten():
    make = PairMaker(procedural_textures(4), Pieces((64, 64), 1), 1, None)
    for step in range(60):
        make(step)
    assert len(make._scenes) <= 8
    assert len(make._starts) <= 8


def test_sizes_come_in_turn():
    plan = (SMALL, Pieces((96, 64), 1))
    ahead = PairsAhead(procedural_textures(4), plan, 1, 2)
    shapes = [
        sample.pairs.forward.flow_b2hw.shape for sample, _ in zip(ahead, range(4), strict=False)
    ]
    ahead.close()
    assert shapes == [(2, 2, 64, 96), (1, 2, 96, 64)] * 2


def test_what_goes_wrong_in_a_thread_is_raised_where_its_pairs_are_wanted(
    monkeypatch: pytest.MonkeyPatch,
):
    def fail(maker: PairMaker, step: int) -> SyntheticSample:
        raise ValueError("no scene")

    monkeypatch.setattr(PairMaker, "__call__", fail)
    ahead = PairsAhead(procedural_textures(4), (SMALL,), 1, 1)
    with pytest.raises(ValueError, match="no scene"):
        next(iter(ahead))
    ahead.close()
