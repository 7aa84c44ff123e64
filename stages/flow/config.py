"""Options of the flow stage."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, ValidationInfo, field_validator

from mvrecon.engine.config import ADVANCED, OptionGroup, StageConfig, option_fields
from mvrecon.engine.plugins import FLOW_MODELS
from mvrecon.learning.options import LearnedOptions
from mvrecon.learning.precision import UsedPrecision, used_precision

DisPreset = Literal["ultrafast", "fast", "medium"]

# Each model's group of options; models of other packages share PLUGIN.
GROUPS: Mapping[str, str] = {
    "dis": "dis",
    "mvflow": "mvflow",
    "raft-small": "raft",
    "raft-small-v2": "raft",
    "raft-large": "raft",
    "raft-large-v2": "raft",
    "raft-large-mixed": "raft",
}
PLUGIN = "plugin"


def model_names() -> list[str]:
    """Every name that `--flow.model` takes; imports no model."""
    return [*GROUPS, *(name for name in FLOW_MODELS.names() if name not in GROUPS)]


class PairOptions(OptionGroup):
    """Which key frames are paired."""

    offsets: tuple[Annotated[int, Field(ge=1)], ...] = Field(
        (1, 3),
        min_length=1,
        description="sequences: each key frame is paired with those so many ahead [frames]",
    )
    partners: int = Field(
        4, ge=1, le=32, description="photos: best-overlapping partners sought for each [images]"
    )
    features: int = Field(
        600,
        ge=50,
        description="photos: SIFT keypoints of each, by which overlap is judged",
        json_schema_extra=ADVANCED,
    )
    ratio: float = Field(
        0.8,
        gt=0,
        lt=1,
        description="photos: distance of a match's descriptors over that of the next best, at "
        "most (Lowe's ratio test)",
        json_schema_extra=ADVANCED,
    )
    inlier_px: float = Field(
        3.0,
        gt=0,
        description="photos: distance of a match from its epipolar line, at most [px]",
        json_schema_extra=ADVANCED,
    )
    min_inliers: int = Field(
        12,
        ge=8,
        description="photos: matches that one epipolar geometry explains, from which on two "
        "overlap; fewer arise by chance",
        json_schema_extra=ADVANCED,
    )


class RaftOptions(LearnedOptions):
    """Options of the RAFT models."""

    updates: int = Field(12, ge=1, le=64, description="recurrent updates of the RAFT models")


class DisOptions(OptionGroup):
    """Options of dense inverse search."""

    preset: DisPreset = Field("medium", description="trade-off of time and accuracy of dis")


class FlowConfig(StageConfig):
    """Options of the flow stage."""

    renamed: ClassVar[Mapping[str, str]] = {
        "weights": "raft.weights",
        "precision": "mvflow.precision",
        "updates": "raft.updates",
        "dis_preset": "dis.preset",
        "offsets": "pairs.offsets",
        "partners": "pairs.partners",
    }

    model: str = Field(
        "mvflow",
        description="method: mvflow (learned, weights are shipped), dis (OpenCV, no weights, "
        "quicker), raft-small, raft-large, …: `mvrecon models` lists them",
    )
    refine: int = Field(
        0, ge=0, le=500, description="variational refinement of the model's flow [iterations]"
    )
    max_size: int = Field(
        512, ge=64, le=4096, description="longest side of the images that flow works on [px]"
    )
    pairs: PairOptions = PairOptions()
    mvflow: LearnedOptions = LearnedOptions()
    raft: RaftOptions = RaftOptions()
    dis: DisOptions = DisOptions()
    plugin: LearnedOptions = LearnedOptions()

    @field_validator("model")
    @classmethod
    def _is_known(cls, name: str) -> str:
        if name not in model_names():
            raise ValueError(f"one of {', '.join(map(repr, model_names()))}")
        return name

    @field_validator("plugin")
    @classmethod
    def _is_offered(cls, plugin: LearnedOptions, info: ValidationInfo) -> LearnedOptions:
        model = info.data.get("model")
        if model is not None and model not in GROUPS and plugin.precision != "auto":
            offered = _offered(model)
            if plugin.precision not in offered:
                raise ValueError(f"of precision auto or {' or '.join(offered)} with {model}")
        return plugin

    @classmethod
    def full_name(cls, model: str, option: str) -> str:
        """`raft.updates` for `updates` of a RAFT model; options of no model keep their name."""
        full = f"{GROUPS.get(model, PLUGIN)}.{option}"
        return full if full in option_fields(cls) else option

    @classmethod
    def upgraded(cls, recorded: Mapping[str, Any]) -> dict[str, Any]:
        """Weights and precision were those of whichever model was chosen."""
        model = recorded.get("model", cls.model_fields["model"].default)
        full = {cls.full_name(model, name): value for name, value in recorded.items()}
        return super().upgraded(full)

    @property
    def group(self) -> str:
        """Name of the chosen model's group of options."""
        return GROUPS.get(self.model, PLUGIN)

    @property
    def given_weights(self) -> Path | None:
        """The checkpoint given for the chosen model, instead of the shipped or fetched one."""
        weights: Path | None = getattr(getattr(self, self.group), "weights", None)
        return weights

    @property
    def used_precision(self) -> UsedPrecision:
        """The number format in which the chosen model computes on this machine."""
        if self.group == PLUGIN:
            return used_precision(self.plugin.precision, _offered(self.model))
        options = getattr(self, self.group)
        return options.used_precision if isinstance(options, LearnedOptions) else "fp32"

    def unused_groups(self) -> set[str]:
        """Those of the models that are not chosen."""
        return {*GROUPS.values(), PLUGIN} - {self.group}

    def key_options(self) -> dict[str, Any]:
        """The options; a model of another package also tells its version, and what it can do."""
        options = super().key_options()
        if self.group == PLUGIN:
            options[PLUGIN]["precision"] = self.used_precision
            options["provider"] = FLOW_MODELS.provider(self.model)
        return options


def _offered(plugin: str) -> tuple[UsedPrecision, ...]:
    """Number formats of a model of another package; what is no ModelCard is told where it loads."""
    offered: tuple[UsedPrecision, ...] = getattr(FLOW_MODELS.load(plugin), "precisions", ("fp32",))
    return offered
