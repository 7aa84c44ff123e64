"""Options of the denoise stage."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from mvrecon.engine.config import ADVANCED, StageConfig


class DenoiseConfig(StageConfig):
    """Options of the denoise stage."""

    method: Literal["diffusion", "none"] = Field(
        "diffusion",
        description="diffusion (smooths what differs by no more than noise, keeps edges), or none",
    )
    steps: int = Field(
        5,
        ge=1,
        le=50,
        description="steps of the diffusion: more smooth farther",
        json_schema_extra=ADVANCED,
    )
    strength: float = Field(
        3.5,
        gt=0,
        le=20,
        description="difference between neighbours from which on it is an edge [deviations of the "
        "noise]",
        json_schema_extra=ADVANCED,
    )
