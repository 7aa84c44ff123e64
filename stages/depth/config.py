"""Options of the depth stage."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from mvrecon.engine.config import StageConfig


class DepthConfig(StageConfig):
    """Options of the depth stage."""

    model: Literal["sweep"] = Field(
        "sweep", description="method: sweep (plane sweep with semi-global aggregation)"
    )
    max_size: int = Field(
        640, ge=64, le=4096, description="longest side of the depth maps, if images allow [px]"
    )
    neighbors: int = Field(
        6, ge=1, le=16, description="views that each view is matched with, at most"
    )
    max_hypotheses: int = Field(
        128, ge=16, le=512, description="depths tried for each pixel, at most; bounds the memory"
    )
    use_flow: bool = Field(
        True, description="whether depth triangulated from flow guides the matching"
    )
