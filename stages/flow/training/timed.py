"""Train mvflow for so many seconds on a GPU that is there for no longer.

python -m stages.flow.training.timed FOLDER --start WEIGHTS --textures DIR --seconds 500

The learning rate falls to zero over the time, not over a number of steps, and the weights are
written every minute: `averaged.pt` and `last.pt`, as `mvrecon train flow` does but without the
confidence, which is to be fitted where there is time (`training.calibration`). Imports no more
than torch, NumPy and OpenCV, so that it runs on a machine that has only these.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from mvrecon.learning.settings import TrainingSettings
from mvrecon.learning.training import LOSSES, Trainer, append_row
from mvrecon.learning.weights import export_weights
from mvrecon.synthetic.training.textures import load_textures, split_textures
from stages.flow.models.mvflow.model import load_mvflow
from stages.flow.models.mvflow.network import Mvflow
from stages.flow.training.ahead import PairsAhead, Pieces
from stages.flow.training.losses import endpoint_error, weighted_mean
from stages.flow.training.supervision import (
    SyntheticSample,
    flow_optimizer,
    loss_and_flow,
    supervised,
)

NUMBERS = ("loss", "gradient_norm", "epe_visible_px", "start_epe_visible_px")
# Of the highest learning rate, that of the first step.
FIRST_RATE = 0.02


@dataclass(frozen=True)
class TimedSettings:
    """How to train.

    Attributes:
        seconds: of training; the learning rate is zero at the end.
        rate: learning rate at its highest.
        warm_seconds: over which it rises.
        write_every: steps from one line of the table to the next.
        save_every: seconds from one writing of the weights to the next.
    """

    seconds: float
    rate: float = 1.5e-3
    warm_seconds: float = 10.0
    write_every: int = 25
    save_every: float = 60.0

    def rate_at(self, seconds: float) -> float:
        """The learning rate, so long after the start."""
        left = max(1.0 - seconds / self.seconds, 0.0)
        return self.rate * min(1.0, seconds / self.warm_seconds + FIRST_RATE) * left


class TimedTrainer(Trainer[Mvflow]):
    """A trainer that does not wait for the device.

    Args:
        network: with its first weights.
        settings: how to train.
        device: where to train.
    """

    def __init__(self, network: Mvflow, settings: TimedSettings, device: torch.device) -> None:
        network = network.train().to(device)
        super().__init__(network, TrainingSettings(), supervised, device, flow_optimizer(network))
        self.timed = settings

    def step_at(self, rate: float, sample: SyntheticSample) -> Tensor:
        """One step at a learning rate; `NUMBERS` of it (4,)."""
        assert sample.start_b2hw is not None
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.zero_grad(set_to_none=True)
        loss, batch, flow_b2hw = loss_and_flow(self.model, sample.pairs, sample.start_b2hw)
        torch.autograd.backward(loss)
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        finite = torch.isfinite(norm)
        for parameter in self.model.parameters():
            if parameter.grad is not None:
                # A step that overflowed goes where the steps before it went.
                parameter.grad = torch.where(finite, parameter.grad, 0.0)
        self.optimizer.step()
        self.step += 1
        self._average()
        with torch.no_grad():
            errors = [
                weighted_mean(endpoint_error(flow, batch.flow_b2hw), batch.visible_bhw.float())
                for flow in (flow_b2hw, sample.start_b2hw)
            ]
        return torch.stack([loss.detach(), norm, *errors])

    def export(self, folder: Path) -> None:
        """Write the weights and their running mean."""
        for name, network in (("last", self.model), ("averaged", self.averaged_model())):
            export_weights(network, network.settings, folder / f"{name}.pt", steps=self.step)


def train_timed(trainer: TimedTrainer, ahead: PairsAhead, folder: Path) -> None:
    """Train until the time is over."""
    settings = trainer.timed
    folder.mkdir(parents=True, exist_ok=True)
    samples = iter(ahead)
    sample = next(samples)
    started = saved = time.monotonic()
    waited, pairs, recent = 0.0, 0, list[Tensor]()
    while (seconds := time.monotonic() - started) < settings.seconds:
        recent.append(trainer.step_at(settings.rate_at(seconds), sample))
        pairs += len(sample.pairs.forward.flow_b2hw)
        asked = time.monotonic()
        sample = next(samples)
        waited += time.monotonic() - asked
        if len(recent) > 1:
            recent[-2].sum().item()  # Not more than a step ahead of the device.
        if len(recent) == settings.write_every:
            numbers = torch.stack(recent).mean(0).tolist()
            row: dict[str, float] = {"step": trainer.step, "seconds": seconds, "pairs": pairs}
            row |= {"waited_s": waited, "rate": settings.rate_at(seconds)}
            row |= dict(zip(NUMBERS, numbers, strict=True))
            append_row(folder / LOSSES, row)
            sys.stdout.write(" ".join(f"{value:.4g}" for value in row.values()) + "\n")
            sys.stdout.flush()
            recent = []
        if time.monotonic() - saved > settings.save_every:
            saved = time.monotonic()
            trainer.export(folder)
    ahead.close()
    trainer.export(folder)


def main() -> None:
    """Train as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--start", type=Path, required=True)
    parser.add_argument("--textures", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=500.0)
    parser.add_argument("--rate", type=float, default=TimedSettings.rate)
    parser.add_argument(
        "--pieces", nargs="+", default=["384x512x24"], help="height × width × pairs, in turn"
    )
    parser.add_argument("--flying", type=float, default=Pieces.flying_share)
    parser.add_argument("--searchers", type=int, default=14)
    parser.add_argument("--fresh-starts", action="store_true")
    parser.add_argument("--seed", type=int, default=101)
    parser.add_argument("--device", default="cuda")
    options = parser.parse_args()
    # Matrix products stay in 32 bits: rays and poses are made of them too.
    torch.backends.cudnn.benchmark = True
    # Many threads launch kernels: each waits less for Python's lock.
    sys.setswitchinterval(5e-4)
    device = torch.device(options.device)
    network, _ = load_mvflow(options.start)
    textures_nhw3, _ = split_textures(load_textures(options.textures))
    plan = tuple(Pieces.read(text, options.flying) for text in options.pieces)
    keep = not options.fresh_starts
    ahead = PairsAhead(textures_nhw3.to(device), plan, options.seed, options.searchers, keep)
    settings = TimedSettings(options.seconds, options.rate)
    train_timed(TimedTrainer(network, settings, device), ahead, options.folder)


if __name__ == "__main__":
    main()
