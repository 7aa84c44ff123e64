"""An example of another package's stage: depth maps smoothed by a median, in the place of fusion.

Its package declares it in its pyproject.toml:

    [project.entry-points."mvrecon.stages"]
    median-fusion = "their_fusion:STAGE"
"""

from __future__ import annotations

from dataclasses import replace

import cv2
from pydantic import Field

from mvrecon.artifacts.depth import DepthMap
from mvrecon.engine.config import StageConfig
from mvrecon.engine.stage import Stage, StageContext, Summary


class MedianConfig(StageConfig):
    """Options of this fusion."""

    window: int = Field(3, ge=3, le=5, description="side of the median's window [px]")


def run(context: StageContext[MedianConfig]) -> Summary:
    """Smooth each depth map by itself."""
    depths = context.inputs["depth"]

    def make(item: str) -> None:
        depth = DepthMap.load(depths.path(item))
        smooth_hw = cv2.medianBlur(depth.depth_hw.astype("float32"), context.config.window)
        context.out.write(item, replace(depth, depth_hw=smooth_hw).save)

    names = depths.names("depth/")
    context.make_items(names, make, "map")
    return Summary({"maps": len(names)})


STAGE = Stage(
    name="fusion",
    version=1,
    config=MedianConfig,
    needs=("depth",),
    run=run,
    publishes={"depth": "depth"},
)
BACKWARDS = replace(STAGE, needs=("surface",))
NO_STAGE = 3
