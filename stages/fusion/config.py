"""Options of the fusion stage."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from mvrecon.engine.config import FILE_CONTENT, StageConfig
from mvrecon.learning.precision import Precision, UsedPrecision, used_precision

# Bumped whenever the same inputs would give another result.
VERSION = 3
FUSION_WEIGHTS = Path(__file__).parent / "weights" / "fusion.pt"
PRIOR_WEIGHTS = Path(__file__).parent / "weights" / "completion.pt"

Completion = Literal["none", "inpainting", "prior"]


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
    precision: Precision = Field(
        "auto",
        description="number format of the learned models: fp32, bf16, or auto, which takes bf16 "
        "on processors with matrix units for it",
    )
    completion: Completion = Field(
        "none",
        description="guess of what no view measured: none, inpainting or prior (learned); "
        "kept apart from what was measured (see surface.depth.completed)",
    )
    prior_weights: Path | None = Field(
        None,
        json_schema_extra=FILE_CONTENT,
        description="weights of the prior; the shipped ones by default",
    )
    neighbors: int = Field(
        8, ge=1, le=32, description="views whose depth is brought into each view, at most"
    )
    tolerance: float = Field(
        0.03, gt=0.0, le=0.5, description="relative difference of depth at which agreement ends"
    )

    @property
    def learned(self) -> bool:
        """Whether a network fuses."""
        return self.model in ("forward", "both")

    @property
    def used_precision(self) -> UsedPrecision:
        """What `precision` stands for on this machine."""
        return used_precision(self.precision, ("fp32", "bf16"))

    def key_options(self) -> dict[str, Any]:
        """The options, with the precision that is used in the place of the one asked for."""
        options = super().key_options()
        del options["precision"]
        if self.learned:
            options["precision"] = self.used_precision
        return options
