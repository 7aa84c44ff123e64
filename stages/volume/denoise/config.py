"""Options of the denoise stage."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from mvrecon.engine.config import ADVANCED, StageConfig
from mvrecon.learning.options import LearnedOptions

SLICENET_WEIGHTS = Path(__file__).parents[1] / "weights" / "slicenet.pt"


class SlicesOptions(LearnedOptions):
    """Options of slices put between thick ones."""

    method: Literal["none", "cubic", "learned"] = Field(
        "none",
        description="thin slices in the place of thick ones, until they are as near as voxels in "
        "them: none, cubic (interpolation), or learned (a network, which smooths noise too)",
    )

    def key_options(self) -> dict[str, Any]:
        """Those of the network only if it is used."""
        return super().key_options() if self.method == "learned" else {"method": self.method}

    def content_files(self) -> dict[str, Path]:
        """The network's weights, if it is used."""
        return super().content_files() if self.method == "learned" else {}


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
    slices: SlicesOptions = SlicesOptions()

    def unused_groups(self) -> Collection[str]:
        """That of slices, if there are to be none."""
        return ["slices"] if self.slices.method == "none" else []
