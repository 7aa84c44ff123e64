"""Options of the flow stage."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from mvrecon.engine.config import FILE_CONTENT, StageConfig

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
