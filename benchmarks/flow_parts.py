"""What each part of mvflow is worth: trained on without it, next to trained on whole.

python -m benchmarks.flow_parts --textures DIR --work DIR [--start FILE] [--steps 250] [--minutes 6]

All trainings begin with the same weights and see the same pairs. Each is kept in --work and goes
on in the next call. Writes benchmarks/flow_parts.md.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from unittest.mock import patch

import torch
from torch import Tensor, nn

from mvrecon.learning.settings import TrainingSettings
from mvrecon.learning.training import Trainer, train
from mvrecon.synthetic.training.textures import load_textures, split_textures
from stages.flow.models.mvflow import network as mvflow_network
from stages.flow.models.mvflow.card import MVFLOW_WEIGHTS
from stages.flow.models.mvflow.correlation import Matches
from stages.flow.models.mvflow.model import load_mvflow
from stages.flow.models.mvflow.network import Mvflow
from stages.flow.models.mvflow.update import OFFERED, OWN
from stages.flow.training.supervision import SyntheticPairs, flow_optimizer, supervised
from stages.flow.training.validation import ValidationPairs, validate, validation_pairs
from stages.flow.training.validation_clips import validation_clips

TABLE = Path(__file__).with_suffix(".md")
SIZE_HW = (256, 352)
VALIDATION = (12, (384, 512))
DECAY_SHARE = 0.5

HEADER = """# The parts of mvflow

Made by `python -m benchmarks.flow_parts --textures DIR --work DIR --steps {steps}`: each row began
with the same weights, which had been trained with all parts, and made {steps} steps of one pair of
{height} × {width} px without the part. EPE px of held-out pairs, over visible pixels in brackets;
*far*: visible pixels off by more than 3 px. *Pairs*: {pairs} of 384 × 512, of textures that these
steps do not have; *clips*: rooms, desks, facades and single things, kinds of scene that training
never has. So few steps show what a part that was learnt is worth, not what another network would
have become without it.

| trained on | pairs | far | clips | far |
|---|---|---|---|---|
"""


class _NoSpread(nn.Module):
    def forward(self, _context: Tensor, _seen: Tensor, flow_b2hw: Tensor) -> Tensor:
        return flow_b2hw


def _no_matches(first: Tensor, _second: Tensor, _paired: bool = False) -> Matches:
    nothing = torch.zeros(len(first), 2, *first.shape[-2:], device=first.device)
    return Matches(nothing, nothing)


def _no_neighbours(flow: Tensor, offered: list[Tensor], logits: Tensor) -> Tensor:
    own = logits[:, OWN : OWN + 1]
    weights = torch.cat([own, logits[:, -OFFERED:]], 1).softmax(1)
    return (torch.stack([flow, *offered], 2) * weights[:, None]).sum(2)


@contextmanager
def _without(name: str, stand_in: Callable[..., object]) -> Iterator[None]:
    with patch.object(mvflow_network, name, stand_in):
        yield


# Row → the function of the network that is replaced, and by what.
PARTS: dict[str, tuple[str, Callable[..., object]] | None] = {
    "all parts": None,
    "no global matches": ("best_matches", _no_matches),
    "nothing taken over from neighbours": ("take_over", _no_neighbours),
    "no flow spread from sure cells": None,
    "one update at 1/8 instead of three": None,
}


def main() -> None:
    """Train what is not trained yet, measure, write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--textures", type=Path, required=True, help="folder of images")
    parser.add_argument("--work", type=Path, required=True, help="where trainings go; resumable")
    parser.add_argument("--start", type=Path, help="weights; the shipped ones by default")
    parser.add_argument("--steps", type=int, default=250)
    parser.add_argument("--minutes", type=float, default=6.0, help="for each training, this call")
    options = parser.parse_args()
    torch.set_num_threads(1)
    textures, held_out = split_textures(load_textures(options.textures))
    settings = TrainingSettings(
        steps=options.steps,
        decay_steps=round(DECAY_SHARE * options.steps),
        batch=1,
        size_hw=SIZE_HW,
        learning_rate=8e-4,
        average=0.98,
        validate_every=options.steps + 1,
    )
    data = SyntheticPairs(textures, settings, feature_steps=0)
    pairs, clips = validation_pairs(held_out, *VALIDATION), validation_clips(held_out)
    lines = []
    for row, replaced in PARTS.items():
        folder = options.work / row.replace(" ", "_").replace("/", "_")
        with _without(*replaced) if replaced else nullcontext():
            network = _network(row, options.start)
            network = _trained(network, settings, data, folder, options.minutes)
            lines.append(_line(row, network, pairs, clips, folder))
    TABLE.write_text(_header(options.steps) + "\n".join(lines) + "\n")
    print(TABLE.read_text())


def _header(steps: int) -> str:
    height, width = SIZE_HW
    return HEADER.format(steps=steps, height=height, width=width, pairs=VALIDATION[0])


def _trained(
    network: Mvflow, settings: TrainingSettings, data: SyntheticPairs, folder: Path, minutes: float
) -> Mvflow:
    trainer = Trainer(network, settings, supervised, torch.device("cpu"), flow_optimizer(network))
    for _ in train(trainer, data, folder, minutes, lambda _: {}):
        pass
    if trainer.step < settings.steps:
        raise SystemExit(
            f"{folder.name}: {trainer.step} of {settings.steps} steps; call again to go on"
        )
    return trainer.averaged_model()


def _network(row: str, start: Path | None) -> Mvflow:
    network, _ = load_mvflow(start or MVFLOW_WEIGHTS)
    if row == "no flow spread from sure cells":
        network.spread = _NoSpread()  # type: ignore[assignment]
    if row == "one update at 1/8 instead of three":
        network.settings = mvflow_network.MvflowSettings(updates=(1, 1))
    return network.train()


def _line(
    row: str, network: Mvflow, pairs: ValidationPairs, clips: ValidationPairs, folder: Path
) -> str:
    cells: list[str] = []
    for held in (pairs, clips):
        found = validate(network, held, folder / f"{len(cells)}.png")
        visible = found["validation_visible_epe_px"]
        cells.append(f"{found['validation_epe_px']:.2f} ({visible:.2f})")
        cells.append(f"{100 * found['validation_far_share']:.1f} %")
    return f"| {row} | " + " | ".join(cells) + " |"


if __name__ == "__main__":
    main()
