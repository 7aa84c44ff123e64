"""Declaration of the denoise stage."""

from __future__ import annotations

from mvrecon.engine.stage import Stage, StageContext, Summary
from stages.volume.denoise.config import DenoiseConfig


def run(context: StageContext[DenoiseConfig]) -> Summary:
    """Smooth noise, keep edges."""
    from stages.volume.denoise.run import run_denoise

    return run_denoise(context)


STAGE = Stage(name="denoise", version=1, config=DenoiseConfig, needs=("load",), run=run)
