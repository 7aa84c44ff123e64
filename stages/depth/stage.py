"""The depth stage: a depth map with confidence for every posed key frame."""

from __future__ import annotations

from mvrecon.engine.stage import Stage, StageContext, Summary
from stages.depth.config import DepthConfig


def run(context: StageContext[DepthConfig]) -> Summary:
    """Make a depth item for each posed key frame that has neighbours."""
    from stages.depth.estimate import estimate_depths

    return estimate_depths(context)


STAGE = Stage(
    name="depth", version=1, config=DepthConfig, needs=("frames", "flow", "pose"), run=run
)
