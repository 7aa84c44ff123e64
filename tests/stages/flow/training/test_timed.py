from __future__ import annotations

import csv
from pathlib import Path

import pytest
import torch

from mvrecon.learning.training import LOSSES
from mvrecon.synthetic.training.textures import procedural_textures
from stages.flow.models.mvflow.model import load_mvflow
from stages.flow.models.mvflow.network import Mvflow
from stages.flow.training.ahead import PairMaker, PairsAhead, Pieces
from stages.flow.training.supervision import SyntheticSample
from stages.flow.training.timed import TimedSettings, TimedTrainer, train_timed
from tests.stages.flow.training.toy import CPU, NETWORK

SMALL = Pieces((64, 96), 2)


def test_timed_training_ends_with_weights_that_load(tmp_path: Path):
    torch.manual_seed(1)
    settings = TimedSettings(3.0, warm_seconds=0.5, write_every=1, save_every=1.0)
    trainer = TimedTrainer(Mvflow(NETWORK), settings, CPU)
    train_timed(trainer, PairsAhead(procedural_textures(4), (SMALL,), 1, 1), tmp_path)
    with (tmp_path / LOSSES).open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == trainer.step >= 1
    assert float(rows[-1]["pairs"]) == 2 * trainer.step
    last, _ = load_mvflow(tmp_path / "last.pt")
    averaged, _ = load_mvflow(tmp_path / "averaged.pt")
    for name, value in trainer.model.state_dict().items():
        assert torch.allclose(last.state_dict()[name], value, atol=1e-3, rtol=1e-3)
    assert averaged.settings == last.settings == NETWORK


def test_the_rate_rises_and_falls_to_zero():
    settings = TimedSettings(100.0, rate=1.0, warm_seconds=10.0)
    rates = [settings.rate_at(seconds) for seconds in (0.0, 5.0, 10.0, 55.0, 100.0, 101.0)]
    assert rates[0] < rates[1] < rates[2]
    assert rates[3:] == pytest.approx([0.45, 0.0, 0.0])


def test_a_step_that_overflows_changes_nothing():
    torch.manual_seed(1)
    trainer = TimedTrainer(Mvflow(NETWORK), TimedSettings(10.0), CPU)
    sample = PairMaker(procedural_textures(4), SMALL, 1, None)(0)
    assert sample.start_b2hw is not None
    before = {name: value.clone() for name, value in trainer.model.state_dict().items()}
    trainer.step_at(1e-3, SyntheticSample(sample.pairs, sample.start_b2hw * torch.nan))
    for name, value in trainer.model.state_dict().items():
        assert torch.equal(value, before[name])
