"""The flow stage: optical flow both ways, with confidence, for chosen pairs of key frames."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from mvrecon.engine.stage import Stage, StageContext, Summary
from stages.flow.config import MVFLOW_WEIGHTS, FlowConfig


def run(context: StageContext[FlowConfig]) -> Summary:
    """Make `pairs.json` and a flow item for each pair."""
    from stages.flow.estimate import estimate_pairs

    return estimate_pairs(context)


def shipped_files(config: FlowConfig) -> Mapping[str, Path]:
    """The shipped weights, where they are used: another content makes another key."""
    if config.model == "mvflow" and config.weights is None:
        return {"mvflow": MVFLOW_WEIGHTS}
    return {}


STAGE = Stage(
    name="flow", version=1, config=FlowConfig, needs=("frames",), run=run, files=shipped_files
)
