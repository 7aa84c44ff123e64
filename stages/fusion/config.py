"""Options of the fusion stage."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from mvrecon.engine.config import ContentFile, OptionGroup, StageConfig
from mvrecon.learning.options import LearnedOptions

RECURRENT_WEIGHTS = Path(__file__).parent / "weights" / "fusion.pt"
COMPLETION_WEIGHTS = Path(__file__).parent / "weights" / "completion.pt"


class CompletionOptions(OptionGroup):
    """Options of the guess of what no view measured."""

    method: Literal["none", "inpainting", "prior"] = Field(
        default="none",
        description="guess of what no view measured: none, inpainting or prior (learned); "
        "kept apart from what was measured (see surface.depth.completed)",
    )
    weights: ContentFile = Field(
        default=None, description="weights of the prior; the shipped ones by default"
    )

    def content_files(self) -> dict[str, Path]:
        """The prior's weights, if it is used."""
        return super().content_files() if self.method == "prior" else {}


class FusionConfig(StageConfig):
    """Options of the fusion stage."""

    renamed: ClassVar = {
        "weights": "recurrent.weights",
        "precision": "recurrent.precision",
        "completion": "completion.method",
        "prior_weights": "completion.weights",
    }

    model: Literal["none", "geometric", "forward", "both"] = Field(
        default="geometric",
        description="method: none (depth as it was measured), geometric (consensus of the views), "
        "forward (learned, along the sequence) or both (learned, forward and backward)",
    )
    neighbors: int = Field(
        default=8, ge=1, le=32, description="views whose depth is brought into each view, at most"
    )
    tolerance: float = Field(
        default=0.03,
        gt=0.0,
        le=0.5,
        description="relative difference of depth at which agreement ends",
    )
    recurrent: LearnedOptions = LearnedOptions()
    completion: CompletionOptions = CompletionOptions()

    @property
    def learned(self) -> bool:
        """Whether a network fuses."""
        return self.model in ("forward", "both")

    def unused_groups(self) -> Collection[str]:
        """Those of what is not done."""
        unused = [] if self.learned else ["recurrent"]
        return unused if self.completion.method != "none" else [*unused, "completion"]
