"""Whether the learned depth carries over to kinds of scene that it never saw; depth_kinds.md.

For each kind a network is trained from random weights on the clips of the others, and one on
the clips of all kinds, each for the same few steps; both are measured on the held-out clips of
that kind, which neither saw.

python -m benchmarks.depth_kinds --clips DIR --work DIR [--steps 150] [--minutes 6]
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch

from mvrecon.learning.settings import TrainingSettings
from mvrecon.learning.training import Trainer, train
from mvrecon.synthetic.training.clips.files import clip_paths, held_out
from mvrecon.synthetic.training.clips.scenes import KINDS
from stages.depth.learned.network import DepthNet
from stages.depth.training.command import depth_optimizer, split
from stages.depth.training.samples import ClipSamples
from stages.depth.training.supervision import supervised
from stages.depth.training.validation import ValidationClip, validate, validation_clips

TABLE = Path(__file__).with_suffix(".md")
DECAY_SHARE = 0.5
VIEWS = 1

HEADER = """# Depth on kinds of scene never seen

Made by `python -m benchmarks.depth_kinds --clips DIR --work DIR --steps {steps}`: the two networks
of a row began with random weights and made the same {steps} steps of {views} view, one on clips of
all kinds, one without those of the row's kind. Measured on held-out clips of that kind, which
neither saw; means over clips; *start*: what both begin with, *80 %*: of the surest pixels. So few
steps tell how the gain carries over, not how large it gets.

| kind | clips | AbsRel start | all kinds | without it | median start | all kinds | without it |\
 AbsRel 80 % all kinds | without it |
|---|---|---|---|---|---|---|---|---|---|
"""


def main() -> None:
    """Train what is not trained yet, measure, write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=Path, required=True, help="of mvrecon train depth")
    parser.add_argument("--work", type=Path, required=True, help="where trainings go; resumable")
    parser.add_argument("--steps", type=int, default=150)
    parser.add_argument("--minutes", type=float, default=6.0, help="of training in this call")
    options = parser.parse_args()
    torch.set_num_threads(1)
    paths = clip_paths(options.clips)
    training, validation = held_out(paths)
    networks: dict[str, DepthNet] = {}
    for name in ("all", *KINDS):
        known = training if name == "all" else split(training, name)[0]
        networks[name] = _trained(known, options.work / name, options.steps, options.minutes)
    held = validation_clips(validation)
    lines = [_line(kind, networks, [one for one in held if one.kind == kind]) for kind in KINDS]
    TABLE.write_text(HEADER.format(steps=options.steps, views=VIEWS) + "\n".join(lines) + "\n")
    print(TABLE.read_text())


def _trained(clips: Sequence[Path], folder: Path, steps: int, minutes: float) -> DepthNet:
    settings = TrainingSettings(
        steps=steps,
        decay_steps=round(DECAY_SHARE * steps),
        batch=VIEWS,
        learning_rate=2e-3,
        average=0.95,
        validate_every=steps + 1,
        save_every=10,
    )
    torch.manual_seed(settings.seed)
    network = DepthNet()
    trainer = Trainer(network, settings, supervised, torch.device("cpu"), depth_optimizer(network))
    data = ClipSamples(clips, settings.seed, settings.batch)
    for _ in train(trainer, data, folder, minutes, lambda _: {}):
        pass
    if trainer.step < steps:
        raise SystemExit(f"{folder.name}: {trainer.step} of {steps} steps; call again to go on")
    return trainer.averaged_model()


def _line(kind: str, networks: dict[str, DepthNet], held: Sequence[ValidationClip]) -> str:
    every, without = (validate(networks[name], held) for name in ("all", kind))
    figures = [
        every["abs_rel_start"],
        every["abs_rel"],
        without["abs_rel"],
        every["median_rel_start"],
        every["median_rel"],
        without["median_rel"],
        every["abs_rel_80"],
        without["abs_rel_80"],
    ]
    return f"| {kind} | {len(held)} | " + " | ".join(f"{figure:.3f}" for figure in figures) + " |"


if __name__ == "__main__":
    main()
