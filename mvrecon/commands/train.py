"""`mvrecon train`: learned parts, in pieces of minutes."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

from mvrecon.options import Commands, Parser

T = TypeVar("T")


def add_commands(commands: Commands) -> None:
    """Declare them."""
    train = commands.group("train", "train a learned part; a run in the folder is resumed")
    _add_flow(train.add("flow", _train_flow, "optical flow, on synthetic pairs or on a clip"))
    _add_depth(train.add("depth", _train_depth, "depth of one view from many, on rendered clips"))
    _add_fusion(train.add("fusion", _train_fusion, "depth fusion along sequences, on posed clips"))
    _add_completion(
        train.add(
            "completion",
            _train_completion,
            "prior over depth, on what was measured of clips or runs",
        )
    )


def _add_flow(flow: Parser) -> None:
    _add_common(flow, minutes=60.0)
    flow.add_argument("--textures", type=Path, help="folder of images for synthetic scenes")
    flow.add_argument("--clip", type=Path, help="adapt to this video or folder, unsupervised")
    flow.add_argument(
        "--size",
        dest="size_hw",
        type=int,
        nargs=2,
        metavar=("HEIGHT", "WIDTH"),
        help="of the pairs [px]",
    )
    flow.add_argument("--batch", type=int, help="pairs a step")
    flow.add_argument("--steps", type=int, help="at which the learning rate has fallen to zero")


def _add_depth(depth: Parser) -> None:
    _add_common(depth, minutes=60.0)
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
    depth.add_argument(
        "--without", metavar="KIND", help="kind of scene to validate on instead of training on it"
    )
    depth.add_argument("--steps", type=int, help="at which the learning rate has fallen to zero")


def _add_fusion(fusion: Parser) -> None:
    _add_common(fusion, minutes=60.0)
    fusion.add_argument("--clips", type=Path, required=True, help="folder of posed clips")
    fusion.add_argument(
        "--adversary", type=float, default=0.0, help="weight of an adversarial loss, 0 for none"
    )


def _add_completion(completion: Parser) -> None:
    _add_common(completion, minutes=30.0)
    completion.add_argument("--clips", type=Path, help="folder of posed clips")
    completion.add_argument(
        "--runs", type=Path, nargs="+", default=[], metavar="RUN_DIR", help="finished runs"
    )


def _add_common(parser: Parser, minutes: float) -> None:
    parser.add_argument("folder", type=Path, metavar="DIR", help="checkpoints, curves and weights")
    parser.add_argument("--minutes", type=float, default=minutes, help="stop after this time")
    parser.add_argument("--start", type=Path, help="weights to start from")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")


def _train_flow(options: argparse.Namespace) -> int:
    from stages.flow.training.command import WEIGHTS, TrainFlowOptions, train_flow

    return _show(train_flow(_of(options, TrainFlowOptions)), options.folder / WEIGHTS)


def _train_depth(options: argparse.Namespace) -> int:
    from stages.clip_pipeline import flows_of_clip
    from stages.depth.training.command import WEIGHTS, TrainDepthOptions, train_depth

    figures = train_depth(_of(options, TrainDepthOptions), flows_of_clip)
    return _show(figures, options.folder / WEIGHTS)


def _train_fusion(options: argparse.Namespace) -> int:
    from stages.clip_pipeline import depths_by_stage
    from stages.depth.config import DepthConfig
    from stages.fusion.training.command import WEIGHTS, TrainFusionOptions, train_fusion

    figures = train_fusion(_of(options, TrainFusionOptions), depths_by_stage(DepthConfig()))
    return _show(figures, options.folder / WEIGHTS)


def _train_completion(options: argparse.Namespace) -> int:
    from stages.clip_pipeline import depths_by_stage
    from stages.depth.config import DepthConfig
    from stages.fusion.training.completion.command import (
        WEIGHTS,
        TrainCompletionOptions,
        train_completion,
    )

    figures = train_completion(_of(options, TrainCompletionOptions), depths_by_stage(DepthConfig()))
    return _show(figures, options.folder / WEIGHTS)


def _of(options: argparse.Namespace, kind: type[T]) -> T:
    """The dataclass whose fields are named as the options are; lists become tuples."""
    given = {
        field.name: getattr(options, field.name)
        for field in fields(kind)  # type: ignore[arg-type]
        if hasattr(options, field.name)
    }
    return kind(**{k: tuple(v) if isinstance(v, list) else v for k, v in given.items()})


def _show(validations: Iterable[Mapping[str, Any]], weights: Path) -> int:
    for figures in validations:
        print("  ".join(f"{name} {value:.4g}" for name, value in figures.items()), flush=True)
    print(weights)
    return 0
