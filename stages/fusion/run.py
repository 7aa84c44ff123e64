"""The fusion stage's work: from stored depth maps to fused ones."""

from __future__ import annotations

import shutil
from dataclasses import replace
from functools import partial

from mvrecon.artifacts.depth import DepthMap, depth_item
from mvrecon.artifacts.depth_summary import summarize_depths
from mvrecon.engine.stage import StageContext, Summary
from mvrecon.multiview.consensus import fuse
from stages.fusion.config import FusionConfig
from stages.fusion.inputs import FusionInputs


def fuse_depths(context: StageContext[FusionConfig], version: int) -> Summary:
    """Run the stage.

    Args:
        context: of the stage.
        version: of the stage.

    Raises:
        UsageError: the weights given cannot be used.
    """
    config, inputs = context.config, FusionInputs(context)
    finish = Finish(inputs)
    row_of = {depth_item(frame.name): row for row, frame in enumerate(inputs.frames)}

    def make(item: str) -> None:
        row = row_of[item]
        if config.model == "geometric":
            others = [inputs.depth(other) for other in inputs.neighbors(row)]
            consensus = fuse(inputs.depth(row), others, config.tolerance)
            context.out.write(item, finish(row, consensus).save)
        elif config.completion.method != "none":
            context.out.write(item, finish(row, inputs.depth(row)).save)
        else:
            context.out.write(item, partial(shutil.copyfile, context.inputs["depth"].path(item)))

    if config.learned:
        # torch takes its time to load, and these need it.
        from stages.fusion.recurrent.sequence import fuse_by_network

        fuse_by_network(context, inputs, finish, version)
    else:
        context.make_items(list(row_of), make, unit="map")
    return summarize_depths([frame.name for frame in inputs.frames], context.out)


class Finish:
    """From a fused map to what the stage stores.

    Args:
        inputs: of the stage.
    """

    def __init__(self, inputs: FusionInputs) -> None:
        self._inputs = inputs
        self._fill = None
        if inputs.config.completion.method != "none":
            from stages.fusion.completion.model import load_fill

            self._fill = load_fill(inputs.config.completion)

    def __call__(self, row: int, fused: DepthMap) -> DepthMap:
        """The map without the pixels of moving things, completed if that is wanted.

        Neighbours may know what lies behind one, but the picture does not show it.
        """
        moving_hw = self._inputs.moving(row, fused.depth_hw.shape)
        measured = fused.without(moving_hw)
        if self._fill is None:
            return measured
        from stages.fusion.completion.model import Incomplete, completed_depth

        incomplete = Incomplete.of(self._inputs.image(row), measured, moving_hw)
        return replace(measured, completed_hw=completed_depth(incomplete, self._fill))
