"""The depth stage's work: a depth item for each posed key frame that is sharp enough."""

from __future__ import annotations

from mvrecon.artifacts.depth import depth_item
from mvrecon.artifacts.depth_summary import summarize_depths
from mvrecon.artifacts.poses import load_moving_mask
from mvrecon.engine.stage import StageContext, Summary
from stages.depth.config import DepthConfig
from stages.depth.estimator import DepthEstimator


def estimate_depths(context: StageContext[DepthConfig]) -> Summary:
    """Run the stage."""
    estimator = DepthEstimator(context.inputs, context.config)
    row_of = {depth_item(frame.name): row for row, frame in enumerate(estimator.frames)}

    def make(item: str) -> None:
        row = row_of[item]
        depth_map = estimator.depth_map(row)
        moving_hw = load_moving_mask(
            context.inputs["pose"], estimator.frames[row].name, depth_map.depth_hw.shape
        )
        context.out.write(item, depth_map.without(moving_hw).save)

    context.make_items(list(row_of), make, unit="map")
    return summarize_depths([frame.name for frame in estimator.frames], context.out)
