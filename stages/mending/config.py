"""Options of mending."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from mvrecon.engine.config import StageConfig


class MendConfig(StageConfig):
    """Options of mending."""

    mode: Literal["auto", "none"] = Field(
        "auto",
        description="whether remedies are tried where a run's own evidence is poor, and the better "
        "result is kept",
    )
    attempts: int = Field(
        2,
        ge=0,
        le=8,
        description="remedies tried at most after pose, and as many after depth [attempts]",
    )


class JudgementConfig(StageConfig):
    """What decides a judgement, besides the input: all that decides the results it looks at."""

    attempts: int = Field(description="remedies tried at most [attempts]")
    stages: dict[str, Any] = Field(description="version and options of each stage")
