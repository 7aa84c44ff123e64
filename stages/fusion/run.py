"""The fusion stage's work: from stored depth maps to fused ones."""

from __future__ import annotations

import shutil
from functools import partial

from mvrecon.artifacts.depth import depth_item
from mvrecon.artifacts.depth_summary import summarize_depths
from mvrecon.engine.stage import StageContext, Summary
from stages.fusion.config import FusionConfig
from stages.fusion.scene import Scene


def fuse_depths(context: StageContext[FusionConfig]) -> Summary:
    """Run the stage.

    Raises:
        UsageError: the weights given cannot be used.
    """
    scene = Scene(context)
    row_of = {depth_item(frame.name): row for row, frame in enumerate(scene.frames)}

    def copy(item: str) -> None:
        if context.config.completion == "none":
            context.out.write(item, partial(shutil.copyfile, context.inputs["depth"].path(item)))
        else:
            row = row_of[item]
            context.out.write(item, scene.finished(row, scene.depth(row)).save)

    def agree(item: str) -> None:
        context.out.write(item, scene.consensus(row_of[item]).save)

    if context.config.model == "none":
        context.make_items(list(row_of), copy, unit="map")
    elif context.config.model == "geometric":
        context.make_items(list(row_of), agree, unit="map")
    else:
        # torch takes its time to load, and these need it.
        from stages.fusion.recurrent.sequence import fuse_by_network

        fuse_by_network(context, scene)
    return summarize_depths([frame.name for frame in scene.frames], context.out)
