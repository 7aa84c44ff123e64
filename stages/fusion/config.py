"""Options of the fusion stage."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from mvrecon.engine.config import FILE_CONTENT, StageConfig

# Bumped whenever the same inputs would give another result.
VERSION = 2
FUSION_WEIGHTS = Path(__file__).parent / "weights" / "fusion.pt"


class FusionConfig(StageConfig):
    """Options of the fusion stage."""

    model: Literal["none", "geometric", "forward", "both"] = Field(
        "geometric",
        description="method: none (depth as it was measured), geometric (consensus of the views), "
        "forward (learned, along the sequence) or both (learned, forward and backward)",
    )
    weights: Path | None = Field(
        None,
        json_schema_extra=FILE_CONTENT,
        description="weights of the learned models; the shipped ones by default",
    )
    neighbors: int = Field(
        8, ge=1, le=32, description="views whose depth is brought into each view, at most"
    )
    tolerance: float = Field(
        0.03, gt=0.0, le=0.5, description="relative difference of depth at which agreement ends"
    )
