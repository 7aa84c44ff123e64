"""The flow stage: optical flow both ways, with confidence, for chosen pairs of key frames."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from mvrecon.engine.config import FILE_CONTENT, StageConfig
from mvrecon.engine.stage import Stage, StageContext, Summary

MVFLOW_WEIGHTS = Path(__file__).parent / "weights" / "mvflow.pt"


class FlowConfig(StageConfig):
    """Options of the flow stage."""

    model: Literal["dis", "raft-small", "mvflow"] = Field(
        "dis",
        description="method: dis (OpenCV, no weights), mvflow (learned, weights are shipped) "
        "or raft-small (learned, give weights)",
    )
    weights: Path | None = Field(
        None,
        json_schema_extra=FILE_CONTENT,
        description="checkpoint of a learned model, for raft-small the public raft-small.pth",
    )
    updates: int = Field(12, ge=1, le=64, description="recurrent updates of raft-small")
    refine: int = Field(
        0, ge=0, le=500, description="variational refinement of the model's flow [iterations]"
    )
    dis_preset: Literal["ultrafast", "fast", "medium"] = Field(
        "medium", description="trade-off of time and accuracy of dis"
    )
    max_size: int = Field(
        640, ge=64, le=4096, description="longest side of the images that flow works on [px]"
    )
    offsets: tuple[Annotated[int, Field(ge=1)], ...] = Field(
        (1, 2, 4),
        min_length=1,
        description="sequences: each key frame is paired with those so many ahead [frames]",
    )
    partners: int = Field(
        6, ge=1, le=32, description="photos: best-overlapping partners sought for each [images]"
    )


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
