"""A small training; apart, so that a process that trains it imports no more than it needs."""

from __future__ import annotations

from pathlib import Path

import torch

from mvrecon.learning.settings import TrainingSettings
from mvrecon.learning.training import Trainer, train
from mvrecon.synthetic.training.textures import procedural_textures
from stages.flow.models.mvflow.network import Mvflow, MvflowSettings
from stages.flow.training.supervision import SyntheticPairs, flow_optimizer, supervised

NETWORK = MvflowSettings(widths=(16, 24, 32, 16), features=16, hidden=16, updates=(1, 1))
SETTINGS = TrainingSettings(
    batch=1, size_hw=(64, 64), learning_rate=3e-3, warmup_steps=1, save_every=2, validate_every=3
)
CPU = torch.device("cpu")


def new_data() -> SyntheticPairs:
    return SyntheticPairs(procedural_textures(4), SETTINGS, feature_steps=1)


def new_trainer() -> Trainer[Mvflow]:
    torch.manual_seed(1)
    network = Mvflow(NETWORK)
    return Trainer(network, SETTINGS, supervised, CPU, flow_optimizer(network))


def nothing(network: Mvflow) -> dict[str, float]:
    return {}


def train_in_a_process(folder: Path, threads: int) -> None:
    torch.set_num_threads(threads)
    for _ in train(new_trainer(), new_data(), folder, 10.0, nothing):
        pass
