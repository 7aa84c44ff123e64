"""Declaration of the frames stage: a video or a folder of images → key frames."""

from __future__ import annotations

from mvrecon.engine.stage import Stage, StageContext, Summary
from stages.frames.config import FramesConfig


def run(context: StageContext[FramesConfig]) -> Summary:
    """Choose and store the key frames."""
    from stages.frames.run import make_frames

    return make_frames(context)


def check(config: FramesConfig) -> None:
    """Raise if there are no masks where they should be."""
    if config.masks is not None:
        from mvrecon.formats.masks import Masks

        Masks(config.masks, None)


STAGE = Stage(
    name="frames",
    version=7,
    config=FramesConfig,
    needs=(),
    run=run,
    reads_raw_input=True,
    check=check,
)
