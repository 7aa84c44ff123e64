"""The fusion stage's work: from stored depth maps to fused ones."""

from __future__ import annotations

import shutil
from functools import lru_cache, partial

from mvrecon.artifacts.depth import DepthMap, depth_item
from mvrecon.artifacts.depth_summary import summarize_depths
from mvrecon.artifacts.frames import FRAMES_ITEM, FrameTable
from mvrecon.artifacts.poses import (
    POINTS_ITEM,
    POSES_ITEM,
    SparsePoints,
    load_moving_mask,
    load_poses,
)
from mvrecon.engine.stage import StageContext, Summary
from mvrecon.geometry.view_selection import choose_neighbors
from stages.fusion.config import FusionConfig
from stages.fusion.consensus import fuse


def fuse_depths(context: StageContext[FusionConfig]) -> Summary:
    """Run the stage."""
    config, depths, pose = context.config, context.inputs["depth"], context.inputs["pose"]
    frames = load_poses(pose.path(POSES_ITEM))
    points = SparsePoints.load(pose.path(POINTS_ITEM))
    in_order = FrameTable.load(context.inputs["frames"].path(FRAMES_ITEM)).kind == "sequence"
    row_of = {depth_item(frame.name): row for row, frame in enumerate(frames)}

    @lru_cache(maxsize=config.neighbors + context.workers + 1)
    def load(row: int) -> DepthMap:
        return DepthMap.load(depths.path(depth_item(frames[row].name)))

    def make(item: str) -> None:
        if config.model == "none":
            context.out.write(item, partial(shutil.copyfile, depths.path(item)))
            return
        row = row_of[item]
        neighbors = choose_neighbors(frames, points, row, config.neighbors, in_order)
        fused = fuse(load(row), [load(neighbor) for neighbor in neighbors], config.tolerance)
        # Neighbours may know what lies behind a moving thing, but the picture does not show it.
        moving_hw = load_moving_mask(pose, frames[row].name, fused.depth_hw.shape)
        context.out.write(item, fused.without(moving_hw).save)

    context.make_items(list(row_of), make, unit="map")
    return summarize_depths([frame.name for frame in frames], context.out)
