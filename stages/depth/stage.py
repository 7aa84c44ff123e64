"""The depth stage: a depth map with confidence for every posed key frame that is sharp enough."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from mvrecon.engine.stage import Stage, StageContext, Summary
from stages.depth.config import DEPTHNET_WEIGHTS, DepthConfig


def run(context: StageContext[DepthConfig]) -> Summary:
    """Make a depth item for each posed key frame that has neighbours."""
    from stages.depth.run import estimate_depths

    return estimate_depths(context)


def weight_files(config: DepthConfig) -> Mapping[str, Path]:
    """The shipped weights, if they are used."""
    shipped = config.model == "learned" and config.learned.weights is None
    return {"depthnet": DEPTHNET_WEIGHTS} if shipped else {}


def check(config: DepthConfig) -> None:
    """Raise if the weights given are no network's for depth."""
    if config.model == "learned" and config.learned.weights is not None:
        from stages.depth.learned.model import load_network

        load_network(config.learned.weights)


STAGE = Stage(
    name="depth",
    version=5,
    config=DepthConfig,
    needs=("frames", "flow", "pose"),
    run=run,
    shares_items=True,
    files=weight_files,
    check=check,
)
