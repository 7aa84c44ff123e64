"""Options of the fusion stage."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from mvrecon.engine.config import StageConfig


class FusionConfig(StageConfig):
    """Options of the fusion stage."""

    model: Literal["geometric", "none"] = Field(
        "geometric",
        description="method: geometric (consistency-weighted) or none (depth as it was measured)",
    )
    neighbors: int = Field(
        8, ge=1, le=32, description="views whose depth is brought into each view, at most"
    )
    tolerance: float = Field(
        0.03, gt=0.0, le=0.5, description="relative difference of depth at which agreement ends"
    )
