"""Training in pieces ends where training in one go does."""

from __future__ import annotations

import csv
import dataclasses
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from mvrecon.learning.settings import TrainingSettings
from mvrecon.learning.training import CHECKPOINT, LOSSES, Trainer, train

CPU = torch.device("cpu")
SETTINGS = TrainingSettings(
    steps=8, decay_steps=4, learning_rate=0.1, warmup_steps=2, validate_every=3, save_every=2
)


@dataclass
class Numbers:
    values_n: Tensor

    def to(self, device: torch.device) -> Numbers:
        return Numbers(self.values_n.to(device))


class Data(Dataset):
    def __getitem__(self, index: int) -> Numbers:
        return Numbers(torch.tensor([1.0, float(index % 3)]))


def objective(network: nn.Linear, sample: Numbers) -> tuple[Tensor, dict[str, float]]:
    error = network(sample.values_n) - sample.values_n.sum()
    return error.square().mean(), {"error": float(error.detach())}


def make_trainer(settings: TrainingSettings = SETTINGS) -> Trainer[nn.Linear]:
    torch.manual_seed(0)
    return Trainer(nn.Linear(2, 1), settings, objective, CPU)


def validate(network: nn.Linear) -> dict[str, float]:
    return {"weight": float(network.weight.detach()[0, 0])}


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def same(first: Trainer[nn.Linear], second: Trainer[nn.Linear]) -> bool:
    mine, other = first.model.state_dict(), second.model.state_dict()
    return all(torch.equal(mine[name], other[name]) for name in mine) and all(
        torch.equal(first.averaged[name], second.averaged[name]) for name in mine
    )


def test_the_learning_rate_rises_stays_and_falls() -> None:
    trainer = make_trainer()
    rates = []
    for index in range(SETTINGS.steps):
        trainer.train_step(Data()[index])
        rates.append(trainer.optimizer.param_groups[0]["lr"])
    assert rates == pytest.approx([0.05, 0.1, 0.1, 0.1, 0.1, 0.075, 0.05, 0.025])


def test_the_running_mean_starts_as_a_mean_and_forgets_slowly() -> None:
    trainer = make_trainer(dataclasses.replace(SETTINGS, average=0.15))
    expected = trainer.model.weight.detach().clone()
    for index in range(4):
        trainer.train_step(Data()[index])
        decay = min(0.15, (index + 1) / (index + 11))
        expected = decay * expected + (1 - decay) * trainer.model.weight.detach()
    averaged = trainer.averaged_model()
    assert not averaged.training
    torch.testing.assert_close(averaged.weight.detach(), expected)


def test_a_step_that_overflowed_changes_nothing() -> None:
    trainer = make_trainer()
    before = trainer.model.weight.detach().clone()
    numbers = trainer.train_step(Numbers(torch.tensor([float("inf"), 1.0])))
    assert not numbers["gradient_norm"] < float("inf")
    assert torch.equal(trainer.model.weight.detach(), before)
    assert trainer.step == 1


def test_saved_and_loaded_it_goes_on_to_the_same_network(tmp_path: Path) -> None:
    whole, part = make_trainer(), make_trainer()
    for index in range(6):
        whole.train_step(Data()[index])
    for index in range(3):
        part.train_step(Data()[index])
    part.save(tmp_path / "c.pt")
    resumed = make_trainer()
    resumed.load(tmp_path / "c.pt")
    assert resumed.step == 3
    for index in range(3, 6):
        resumed.train_step(Data()[index])
    assert same(whole, resumed)


def test_training_writes_curves_and_resumes(tmp_path: Path) -> None:
    whole, part, resumed = make_trainer(), make_trainer(), make_trainer()
    validations = list(train(whole, Data(), tmp_path / "whole", 60.0, validate))
    assert [row["step"] for row in validations] == [3, 6]
    assert [int(row["step"]) for row in rows(tmp_path / "whole" / LOSSES)] == list(range(1, 9))
    assert [row["step"] for row in rows(tmp_path / "whole" / "validation.csv")] == ["3", "6"]

    folder = tmp_path / "parts"
    list(train(part, Data(), folder, 0.0, validate))  # one step, then its time is over
    assert part.step == 1
    list(train(resumed, Data(), folder, 60.0, validate))
    assert resumed.step == SETTINGS.steps
    assert same(whole, resumed)
    assert [int(row["step"]) for row in rows(folder / LOSSES)] == list(range(1, 9))
    assert (folder / CHECKPOINT).is_file()
