"""Declaration of the segment stage."""

from __future__ import annotations

from mvrecon.engine.stage import Stage, StageContext, Summary
from stages.volume.segment.config import SegmentConfig


def run(context: StageContext[SegmentConfig]) -> Summary:
    """Say which voxels are inside of what is to be modelled."""
    from stages.volume.segment.run import run_segment

    return run_segment(context)


STAGE = Stage(name="segment", version=1, config=SegmentConfig, needs=("load", "denoise"), run=run)
