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
    flow.add_argument(
        "--size", type=int, nargs=2, metavar=("HEIGHT", "WIDTH"), help="of the pairs [px]"
    )
    flow.add_argument("--batch", type=int, help="pairs a step")
    flow.add_argument("--steps", type=int, help="at which the learning rate has fallen to zero")
    flow.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    depth = train.add("depth", _train_depth, "depth of one view from many, on rendered clips")
    depth.add_argument("folder", type=Path, metavar="DIR", help="checkpoints, curves and weights")
    depth.add_argument("--minutes", type=float, default=60.0, help="stop after this time")
    depth.add_argument("--clips", type=Path, help="folder of posed clips; DIR/clips by default")
    depth.add_argument(
        "--count", type=int, default=300, help="clips: those that are missing are rendered first"
    )
    depth.add_argument("--textures", type=Path, help="folder of images for the scenes")
    depth.add_argument("--meshes", type=Path, help="folder of OBJ, OFF, PLY or GLB for the scenes")
    depth.add_argument(
        "--renderer",
        choices=["open3d", "torch"],
        default="open3d",
        help="of missing clips: furnished scenes of triangles, or solids cast in torch on --device",
    )
    depth.add_argument("--start", type=Path, help="weights to start from")
    depth.add_argument(
        "--without", metavar="KIND", help="kind of scene to validate on instead of training on it"
    )
    depth.add_argument("--steps", type=int, help="at which the learning rate has fallen to zero")
    depth.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    fusion = train.add("fusion", _train_fusion, "depth fusion along sequences, on posed clips")
    fusion.add_argument("folder", type=Path, metavar="DIR", help="checkpoints, curves and weights")
    fusion.add_argument("--clips", type=Path, required=True, help="folder of posed clips")
    fusion.add_argument("--minutes", type=float, default=60.0, help="stop after this time")
    fusion.add_argument("--start", type=Path, help="weights to start from")
    fusion.add_argument(
        "--adversary", type=float, default=0.0, help="weight of an adversarial loss, 0 for none"
    )
    fusion.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    completion = train.add(
        "completion", _train_completion, "prior over depth, on what was measured of clips or runs"
    )
    completion.add_argument("folder", type=Path, metavar="DIR", help="checkpoints and weights")
    completion.add_argument("--clips", type=Path, help="folder of posed clips")
    completion.add_argument(
        "--runs", type=Path, nargs="+", default=[], metavar="RUN_DIR", help="finished runs"
    )
    completion.add_argument("--minutes", type=float, default=30.0, help="stop after this time")
    completion.add_argument("--start", type=Path, help="weights to start from")
    completion.add_argument("--device", choices=["cpu", "cuda"], default="cpu")


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
            size_hw=None if options.size is None else tuple(options.size),
            batch=options.batch,
            steps=options.steps,
        )
    ):
        print("  ".join(f"{name} {value:.4g}" for name, value in figures.items()), flush=True)
    print(options.folder / WEIGHTS)
    return 0


def _train_depth(options: argparse.Namespace) -> int:
    from stages.depth.train_command import WEIGHTS, TrainDepthOptions, train_depth

    for figures in train_depth(
        TrainDepthOptions(
            folder=options.folder,
            minutes=options.minutes,
            clips=options.clips,
            count=options.count,
            textures=options.textures,
            meshes=options.meshes,
            start=options.start,
            without=options.without,
            renderer=options.renderer,
            device=options.device,
            steps=options.steps,
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
            adversary=options.adversary,
            device=options.device,
        )
    ):
        print("  ".join(f"{name} {value:.4g}" for name, value in figures.items()), flush=True)
    print(options.folder / WEIGHTS)
    return 0


def _train_completion(options: argparse.Namespace) -> int:
    from stages.fusion.completion_training import (
        WEIGHTS,
        TrainCompletionOptions,
        train_completion,
    )

    for figures in train_completion(
        TrainCompletionOptions(
            folder=options.folder,
            clips=options.clips,
            runs=tuple(options.runs),
            minutes=options.minutes,
            start=options.start,
            device=options.device,
        )
    ):
        print("  ".join(f"{name} {value:.4g}" for name, value in figures.items()), flush=True)
    print(options.folder / WEIGHTS)
    return 0
