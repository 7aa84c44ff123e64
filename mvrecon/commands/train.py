"""`mvrecon train`: learned parts, in pieces of minutes."""

from __future__ import annotations

import argparse
from pathlib import Path

from mvrecon.options import Commands


def add_commands(commands: Commands) -> None:
    """Declare them."""
    train = commands.group("train", "train a learned part; a run in the folder is resumed")
    flow = train.add("flow", _train_flow, "optical flow, on synthetic pairs or on a clip")
    flow.add_argument("folder", type=Path, metavar="DIR", help="checkpoints, curves and weights")
    flow.add_argument("--minutes", type=float, default=60.0, help="stop after this time")
    flow.add_argument("--textures", type=Path, help="folder of images for synthetic scenes")
    flow.add_argument("--clip", type=Path, help="adapt to this video or folder, unsupervised")
    flow.add_argument("--start", type=Path, help="weights to start from")
    flow.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    fusion = train.add("fusion", _train_fusion, "depth fusion along sequences, on posed clips")
    fusion.add_argument("folder", type=Path, metavar="DIR", help="checkpoints, curves and weights")
    fusion.add_argument("--clips", type=Path, required=True, help="folder of posed clips")
    fusion.add_argument("--minutes", type=float, default=60.0, help="stop after this time")
    fusion.add_argument("--start", type=Path, help="weights to start from")
    fusion.add_argument("--device", choices=["cpu", "cuda"], default="cpu")


def _train_flow(options: argparse.Namespace) -> int:
    from stages.flow.train_command import WEIGHTS, TrainFlowOptions, train_flow

    for figures in train_flow(
        TrainFlowOptions(
            folder=options.folder,
            minutes=options.minutes,
            textures=options.textures,
            clip=options.clip,
            start=options.start,
            device=options.device,
        )
    ):
        print("  ".join(f"{name} {value:.4g}" for name, value in figures.items()), flush=True)
    print(options.folder / WEIGHTS)
    return 0


def _train_fusion(options: argparse.Namespace) -> int:
    from stages.fusion.train_command import WEIGHTS, TrainFusionOptions, train_fusion

    for figures in train_fusion(
        TrainFusionOptions(
            folder=options.folder,
            clips=options.clips,
            minutes=options.minutes,
            start=options.start,
            device=options.device,
        )
    ):
        print("  ".join(f"{name} {value:.4g}" for name, value in figures.items()), flush=True)
    print(options.folder / WEIGHTS)
    return 0
