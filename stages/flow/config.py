"""Options of the flow stage."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationInfo, field_validator

from mvrecon.engine.config import FILE_CONTENT, StageConfig
from mvrecon.learning.precision import Precision, UsedPrecision, used_precision

MVFLOW_WEIGHTS = Path(__file__).parent / "weights" / "mvflow.pt"


class FlowConfig(StageConfig):
    """Options of the flow stage."""

    model: str = Field(
        "mvflow",
        description="method: mvflow (learned, weights are shipped), dis (OpenCV, no weights, "
        "quicker), raft-small, raft-large, …: `mvrecon models` lists them",
    )
    weights: Path | None = Field(
        None,
        json_schema_extra=FILE_CONTENT,
        description="checkpoint of a learned model, instead of the shipped or fetched one",
    )
    precision: Precision = Field(
        "auto",
        description="number format of learned models: fp32, bf16, or auto, which takes bf16 on "
        "processors with matrix units for it; the report says which was used",
    )
    updates: int = Field(12, ge=1, le=64, description="recurrent updates of the RAFT models")
    refine: int = Field(
        0, ge=0, le=500, description="variational refinement of the model's flow [iterations]"
    )
    dis_preset: Literal["ultrafast", "fast", "medium"] = Field(
        "medium", description="trade-off of time and accuracy of dis"
    )
    max_size: int = Field(
        512, ge=64, le=4096, description="longest side of the images that flow works on [px]"
    )
    offsets: tuple[Annotated[int, Field(ge=1)], ...] = Field(
        (1, 2, 4),
        min_length=1,
        description="sequences: each key frame is paired with those so many ahead [frames]",
    )
    partners: int = Field(
        4, ge=1, le=32, description="photos: best-overlapping partners sought for each [images]"
    )

    @field_validator("model")
    @classmethod
    def _is_known(cls, name: str) -> str:
        from stages.flow.models.registry import model_names

        if name not in model_names():
            raise ValueError(f"one of {', '.join(map(repr, model_names()))}")
        return name

    @field_validator("precision")
    @classmethod
    def _is_offered(cls, precision: Precision, info: ValidationInfo) -> Precision:
        from stages.flow.models.registry import find_card

        if precision != "auto" and (model := info.data.get("model")):
            offered = find_card(model).precisions
            if precision not in offered:
                raise ValueError(f"auto or {' or '.join(offered)} with {model}")
        return precision

    @property
    def used_precision(self) -> UsedPrecision:
        """What `precision` stands for on this machine."""
        from stages.flow.models.registry import find_card

        return used_precision(self.precision, find_card(self.model).precisions)

    def key_options(self) -> dict[str, Any]:
        """The options, with what decides the result in the place of what was asked.

        A result of one precision must not be taken for another's, wherever it was made; nor
        one of another version of somebody else's package.
        """
        from stages.flow.models.registry import find_card, provider

        options = super().key_options()
        del options["precision"]
        card = find_card(self.model)
        if len(card.precisions) > 1:
            options["precision"] = self.used_precision
        if package := provider(self.model):
            options["provider"] = package
        return options
