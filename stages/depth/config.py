"""Options of the depth stage."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from mvrecon.engine.config import ADVANCED, OptionGroup, StageConfig
from mvrecon.learning.options import LearnedOptions

DEPTHNET_WEIGHTS = Path(__file__).parent / "weights" / "depthnet.pt"


class SweepOptions(OptionGroup):
    """Options of the plane sweep, which the learned depth starts from too."""

    max_hypotheses: int = Field(
        default=128,
        ge=16,
        le=512,
        description="depths tried for each pixel, at most; bounds the memory",
    )
    use_flow: bool = Field(
        default=True, description="whether depth triangulated from flow guides the matching"
    )
    window_px: int = Field(
        default=7,
        ge=3,
        le=31,
        json_schema_extra=ADVANCED,
        description="side of the windows that are correlated: larger ones find weak texture and "
        "blur edges [px]",
    )
    small_penalty: int = Field(
        default=5,
        ge=0,
        le=127,
        json_schema_extra=ADVANCED,
        description="cost of a step of one hypothesis between neighbouring pixels, as slanted "
        "surfaces make them [1/127 of a correlation]",
    )
    large_penalty: int = Field(
        default=300,
        ge=0,
        le=3000,
        json_schema_extra=ADVANCED,
        description="cost of a larger jump where the image is flat [1/127 of a correlation]",
    )
    prior_cost: int = Field(
        default=45,
        ge=0,
        le=127,
        json_schema_extra=ADVANCED,
        description="what disagreement with sure flow costs, at most: enough against noise, not "
        "against a clear match [1/127 of a correlation]",
    )


class DepthConfig(StageConfig):
    """Options of the depth stage."""

    renamed: ClassVar = {
        "weights": "learned.weights",
        "precision": "learned.precision",
        "max_hypotheses": "sweep.max_hypotheses",
        "use_flow": "sweep.use_flow",
    }

    model: Literal["sweep", "learned"] = Field(
        default="sweep",
        description="method: sweep (plane sweep with semi-global aggregation), or learned (a "
        "network corrects a coarser sweep; weights are shipped)",
    )
    max_size: int = Field(
        default=640,
        ge=64,
        le=4096,
        description="longest side of the depth maps, if images allow [px]",
    )
    neighbors: int = Field(
        default=6, ge=1, le=16, description="views that each view is matched with, at most"
    )
    sweep: SweepOptions = SweepOptions()
    learned: LearnedOptions = LearnedOptions()

    def unused_groups(self) -> Collection[str]:
        """The network's, if there is none."""
        return () if self.model == "learned" else ("learned",)
