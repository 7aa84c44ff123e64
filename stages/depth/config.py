"""Options of the depth stage."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from mvrecon.engine.config import FILE_CONTENT, StageConfig
from mvrecon.learning.precision import Precision, UsedPrecision, used_precision

DEPTHNET_WEIGHTS = Path(__file__).parent / "weights" / "depthnet.pt"


class DepthConfig(StageConfig):
    """Options of the depth stage."""

    model: Literal["sweep", "learned"] = Field(
        "sweep",
        description="method: sweep (plane sweep with semi-global aggregation), or learned (a "
        "network corrects a coarser sweep; weights are shipped)",
    )
    weights: Path | None = Field(
        None,
        json_schema_extra=FILE_CONTENT,
        description="weights of the learned model, instead of the shipped ones",
    )
    precision: Precision = Field(
        "auto",
        description="number format of the learned model: fp32, bf16, or auto, which takes bf16 "
        "on processors with matrix units for it",
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

    @property
    def used_precision(self) -> UsedPrecision:
        """What `precision` stands for on this machine."""
        return used_precision(self.precision, ("fp32", "bf16"))

    def key_options(self) -> dict[str, Any]:
        """The options, with the precision that is used in the place of the one asked for."""
        options = super().key_options()
        del options["precision"]
        if self.model == "learned":
            options["precision"] = self.used_precision
        return options
