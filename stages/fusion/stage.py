"""The fusion stage: depth maps made consistent with those of the views around them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from mvrecon.engine.stage import Stage, StageContext, Summary
from stages.fusion.config import COMPLETION_WEIGHTS, RECURRENT_WEIGHTS, FusionConfig


def run(context: StageContext[FusionConfig]) -> Summary:
    """Make a depth item for each posed key frame."""
    from stages.fusion.run import fuse_depths

    return fuse_depths(context, STAGE.version)


def shipped_files(config: FusionConfig) -> Mapping[str, Path]:
    """The shipped weights, where they are used: another content makes another key."""
    files = {}
    if config.learned and config.recurrent.weights is None:
        files["fusion"] = RECURRENT_WEIGHTS
    if config.completion.method == "prior" and config.completion.weights is None:
        files["completion"] = COMPLETION_WEIGHTS
    return files


def check(config: FusionConfig) -> None:
    """Raise if the weights given are none of the networks that fuse or complete."""
    if config.learned and config.recurrent.weights is not None:
        from stages.fusion.recurrent.model import load_network

        load_network(config.recurrent.weights)
    if config.completion.method == "prior" and config.completion.weights is not None:
        from stages.fusion.completion.model import load_fill

        load_fill(config.completion)


STAGE = Stage(
    name="fusion",
    version=5,
    config=FusionConfig,
    needs=("frames", "pose", "depth"),
    run=run,
    shares_items=True,
    files=shipped_files,
    check=check,
    publishes={"depth": "depth"},
)
