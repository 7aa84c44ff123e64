"""What `mvrecon train fusion` and `mvrecon train completion` are told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from mvrecon.learning.options import TrainOptions
from mvrecon.learning.settings import TrainingSettings
from mvrecon.options import Argument

# For a training of an hour on a small computer.
FUSION = TrainingSettings(
    steps=3000,
    decay_steps=1500,
    batch=2,
    size_hw=(160, 192),
    learning_rate=2e-3,
    average=0.99,
    validate_every=200,
    save_every=50,
)
# For a training of half an hour on a small computer.
COMPLETION = replace(FUSION, batch=4, size_hw=(192, 256), validate_every=500)


class TrainFusionOptions(TrainOptions):
    """Training on posed clips with true depth."""

    clips: Path = Field(description="folder of posed clips")
    depth: Literal["sweep", "learned"] = Field(
        "sweep", description="depth.model that measures them, whose errors are learned"
    )
    adversary: float = Field(
        0.0, ge=0, description="weight of an adversary that tells fused from true depth, 0 for none"
    )
    steps: int | None = Field(
        None, ge=1, description="at which the learning rate has fallen to zero"
    )
    settings: Annotated[TrainingSettings, Argument(offered=False)] = Field(
        FUSION, description="of the training, but for steps that are given"
    )


class TrainCompletionOptions(TrainOptions):
    """Training on what was measured of clips or runs."""

    minutes: float = Field(30.0, ge=0, description="stop after this time [min]")
    clips: Path | None = Field(
        None, description="folder of posed clips; their truth serves validation only"
    )
    runs: Annotated[tuple[Path, ...], Argument(metavar="RUN_DIR")] = Field(
        (), description="finished runs; of many views the last tenth is held out"
    )
    settings: Annotated[TrainingSettings, Argument(offered=False)] = Field(
        COMPLETION, description="of the training"
    )
