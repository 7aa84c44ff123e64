"""The fusion stage: depth maps made consistent with those of the views around them."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from mvrecon.engine.config import StageConfig
from mvrecon.engine.stage import Stage, StageContext, Summary


class FusionConfig(StageConfig):
    """Options of the fusion stage."""

    model: Literal["geometric", "none"] = Field(
        "geometric",
        description="method: geometric (consistency-weighted) or none (depth as it was measured)",
    )
    neighbors: int = Field(
        8, ge=1, le=32, description="views whose depth is brought into each view, at most"
    )
    tolerance: float = Field(
        0.03, gt=0.0, le=0.5, description="relative difference of depth at which agreement ends"
    )


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
