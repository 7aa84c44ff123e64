"""`mvrecon train`: learned parts, in pieces of minutes."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from mvrecon.options import Commands, add_options, parse_options
from stages.depth.config import DepthConfig
from stages.depth.training.options import TrainDepthOptions
from stages.flow.training.options import TrainFlowOptions
from stages.fusion.training.options import TrainCompletionOptions, TrainFusionOptions
from stages.volume.training.options import TrainSlicesOptions


def add_commands(commands: Commands) -> None:
    """Declare them."""
    train = commands.group("train", "train a learned part; a run in the folder is resumed")
    for name, command, options, text in (
        ("flow", _flow, TrainFlowOptions, "optical flow, on synthetic pairs or on a clip"),
        ("depth", _depth, TrainDepthOptions, "depth of one view from many, on rendered clips"),
        ("fusion", _fusion, TrainFusionOptions, "depth fusion along sequences, on posed clips"),
        (
            "completion",
            _completion,
            TrainCompletionOptions,
            "prior over depth, on what was measured of clips or runs",
        ),
        ("slices", _slices, TrainSlicesOptions, "thin slices of a volume from thick ones"),
    ):
        add_options(train.add(name, command, text), options)


def _flow(parsed: argparse.Namespace) -> int:
    options = parse_options(TrainFlowOptions, parsed)
    from stages.flow.training.command import WEIGHTS, train_flow

    return _show(train_flow(options), options.folder / WEIGHTS)


def _depth(parsed: argparse.Namespace) -> int:
    options = parse_options(TrainDepthOptions, parsed)
    from stages.clip_pipeline import flows_of_clip
    from stages.depth.training.command import WEIGHTS, train_depth

    return _show(train_depth(options, flows_of_clip), options.folder / WEIGHTS)


def _fusion(parsed: argparse.Namespace) -> int:
    options = parse_options(TrainFusionOptions, parsed)
    from stages.clip_pipeline import depths_by_stage
    from stages.fusion.training.command import WEIGHTS, train_fusion

    figures = train_fusion(options, depths_by_stage(DepthConfig(model=options.depth)))
    return _show(figures, options.folder / WEIGHTS)


def _completion(parsed: argparse.Namespace) -> int:
    options = parse_options(TrainCompletionOptions, parsed)
    from stages.clip_pipeline import depths_by_stage
    from stages.fusion.training.completion.command import WEIGHTS, train_completion

    figures = train_completion(options, depths_by_stage(DepthConfig()))
    return _show(figures, options.folder / WEIGHTS)


def _slices(parsed: argparse.Namespace) -> int:
    options = parse_options(TrainSlicesOptions, parsed)
    from stages.volume.training.command import WEIGHTS, train_slices

    return _show(train_slices(options), options.folder / WEIGHTS)


def _show(validations: Iterable[Mapping[str, Any]], weights: Path) -> int:
    for figures in validations:
        print("  ".join(f"{name} {value:.4g}" for name, value in figures.items()), flush=True)
    print(weights)
    return 0
