"""Training of a network: resumable at any instant, in pieces of minutes, on a CPU or with CUDA."""

from __future__ import annotations

import copy
import csv
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from mvrecon.atomic import replacing
from mvrecon.errors import UsageError
from mvrecon.learning.settings import TrainingSettings

CHECKPOINT = "checkpoint.pt"
LOSSES = "losses.csv"


class Sample(Protocol):
    """What a data set gives for one step."""

    def to(self, device: torch.device) -> Sample:
        """The same on another device."""
        ...


N = TypeVar("N", bound=nn.Module)
S = TypeVar("S", bound=Sample)
# From the network and a sample to the loss, and numbers to write down.
Objective = Callable[[N, S], tuple[Tensor, dict[str, float]]]


def training_device(name: str) -> torch.device:
    """The device of `--device`.

    Raises:
        UsageError: it is not there.
    """
    if name == "cuda" and not torch.cuda.is_available():
        raise UsageError("this machine has no CUDA device", "Train with --device cpu")
    return torch.device(name)


class Trainer(Generic[N]):
    """Network, its running mean, optimizer and position in the data.

    Args:
        network: with its first weights.
        settings: how to train.
        objective: what to minimise.
        device: where to train.
        optimizer: of the network's parameters, with one learning rate; AdamW if None.
    """

    def __init__(
        self,
        network: N,
        settings: TrainingSettings,
        objective: Objective[N, Any],
        device: torch.device,
        optimizer: torch.optim.Optimizer | None = None,
    ) -> None:
        self.settings = settings
        self.objective = objective
        self.device = device
        self.model = network.to(device)
        self.averaged = {name: value.clone() for name, value in self.model.state_dict().items()}
        self.optimizer = optimizer or torch.optim.AdamW(
            self.model.parameters(), lr=0.0, weight_decay=1e-5, fused=True
        )
        self.step = 0
        self.seconds = 0.0

    def train_step(self, sample: Sample) -> dict[str, float]:
        """One optimizer step on the sample that belongs to `self.step`."""
        for group in self.optimizer.param_groups:
            group["lr"] = self._learning_rate()
        self.optimizer.zero_grad(set_to_none=True)
        loss, numbers = self.objective(self.model, sample)
        torch.autograd.backward(loss)
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        # A step that overflowed is skipped.
        if bool(torch.isfinite(norm)):
            self.optimizer.step()
        self.step += 1
        self._average()
        return {"loss": float(loss.detach()), **numbers, "gradient_norm": float(norm)}

    def averaged_model(self) -> N:
        """A network with the running mean of the weights."""
        model = copy.deepcopy(self.model)
        model.load_state_dict(self.averaged)
        return model.eval()

    def _learning_rate(self) -> float:
        settings = self.settings
        warm = min(1.0, (self.step + 1) / settings.warmup_steps)
        left = (settings.steps - self.step) / max(settings.decay_steps, 1)
        return settings.learning_rate * warm * min(1.0, max(left, 0.0))

    def _average(self) -> None:
        decay = min(self.settings.average, self.step / (self.step + 10.0))
        with torch.no_grad():
            torch._foreach_lerp_(
                list(self.averaged.values()), list(self.model.state_dict().values()), 1.0 - decay
            )

    def save(self, path: Path) -> None:
        """Write everything that the next step depends on."""
        state = {
            "model": self.model.state_dict(),
            "averaged": self.averaged,
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
            "seconds": self.seconds,
            "random": torch.get_rng_state(),
        }
        save_atomically(state, path)

    def load(self, path: Path) -> None:
        """Continue from what `save` wrote."""
        state = torch.load(path, map_location=self.device, weights_only=True)
        self.model.load_state_dict(state["model"])
        self.averaged = state["averaged"]
        self.optimizer.load_state_dict(state["optimizer"])
        self.step, self.seconds = state["step"], state["seconds"]
        torch.set_rng_state(state["random"].cpu())


def train(
    trainer: Trainer[N],
    data: Dataset[Any],
    folder: Path,
    minutes: float,
    validate: Callable[[N], dict[str, float]],
) -> Iterator[dict[str, float]]:
    """Train for a while from the newest checkpoint in `folder`; yields each validation.

    A second process makes the data: item i belongs to step i, so a resumed run goes on with
    the same data. Writes `checkpoint.pt`, `losses.csv` and `validation.csv` to the folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if (folder / CHECKPOINT).is_file():
        trainer.load(folder / CHECKPOINT)
    settings = trainer.settings
    started, before = time.monotonic(), trainer.seconds
    steps = range(trainer.step, settings.steps)
    loader = DataLoader(data, batch_size=None, sampler=steps, num_workers=1, prefetch_factor=4)
    for sample in loader:
        numbers = trainer.train_step(sample.to(trainer.device))
        trainer.seconds = before + time.monotonic() - started
        position = {"step": trainer.step, "seconds": trainer.seconds}
        append_row(folder / LOSSES, {**position, **numbers})
        if trainer.step % settings.save_every == 0:
            trainer.save(folder / CHECKPOINT)
        if trainer.step % settings.validate_every == 0:
            row = {**position, **validate(trainer.averaged_model())}
            append_row(folder / "validation.csv", row)
            yield row
        if time.monotonic() - started > 60.0 * minutes:
            break
    trainer.save(folder / CHECKPOINT)


def append_row(path: Path, row: dict[str, float]) -> None:
    """Add a line to a table, with its heading if it is the first."""
    new = not path.is_file()
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, list(row))
        if new:
            writer.writeheader()
        writer.writerow({k: v if isinstance(v, int) else f"{v:.5g}" for k, v in row.items()})


def save_atomically(state: dict[str, Any], path: Path) -> None:
    """Write with torch.save, replacing what is there in one step."""
    with replacing(path, sync=True) as temporary:
        torch.save(state, temporary)
