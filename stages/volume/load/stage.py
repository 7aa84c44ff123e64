"""Declaration of the load stage."""

from __future__ import annotations

from mvrecon.engine.stage import Stage, StageContext, Summary
from stages.volume.load.config import LoadConfig


def run(context: StageContext[LoadConfig]) -> Summary:
    """Bring a volume of any format to one even grid in millimetres."""
    from stages.volume.load.run import run_load

    return run_load(context)


STAGE = Stage(
    name="load",
    version=1,
    config=LoadConfig,
    needs=(),
    run=run,
    reads_raw_input=True,
    publishes={"grid.json": "grid.json"},
)
