"""The fusion stage: depth maps made consistent with those of the views around them."""

from __future__ import annotations

from mvrecon.engine.stage import Stage, StageContext, Summary
from stages.fusion.config import FusionConfig


def run(context: StageContext[FusionConfig]) -> Summary:
    """Make a depth item for each posed key frame."""
    from stages.fusion.estimate import fuse_depths

    return fuse_depths(context)


STAGE = Stage(
    name="fusion",
    version=1,
    config=FusionConfig,
    needs=("frames", "pose", "depth"),
    run=run,
    publishes={"depth": "depth"},
)
