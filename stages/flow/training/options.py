"""What `mvrecon train flow` is told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

from pydantic import Field

from mvrecon.learning.options import TrainOptions
from mvrecon.learning.settings import TrainingSettings
from mvrecon.options import Argument

# The network's stride (`models.mvflow.network`, heavy to import): sides are multiples of it.
STRIDE_PX = 32
SYNTHETIC = TrainingSettings(
    steps=20_000, decay_steps=8_000, batch=2, size_hw=(288, 384), learning_rate=1.5e-3
)
ADAPTING = TrainingSettings(
    steps=2_000, decay_steps=1_000, batch=2, size_hw=(224, 320), learning_rate=1e-4
)
DECAY_SHARE = 0.4

SidePx = Annotated[int, Field(gt=0, multiple_of=STRIDE_PX)]


class TrainFlowOptions(TrainOptions):
    """Training on synthetic pairs, or on a clip without true flow.

    Size, batch and steps that are not given are those of `SYNTHETIC` or `ADAPTING`.
    """

    textures: Path | None = Field(
        None, description="folder of images for synthetic scenes, noise by default"
    )
    clip: Path | None = Field(None, description="adapt to this video or folder, unsupervised")
    start: Path | None = Field(
        None,
        description="weights to start from; the shipped ones for a clip, else random ones by "
        "default",
    )
    size_hw: Annotated[
        tuple[SidePx, SidePx] | None, Argument(name="size", metavar=("HEIGHT", "WIDTH"))
    ] = Field(None, description=f"of the pairs, multiples of {STRIDE_PX} [px]")
    batch: int | None = Field(None, ge=1, description="pairs a step")
    steps: int | None = Field(
        None, ge=1, description="at which the learning rate has fallen to zero"
    )

    @property
    def settings(self) -> TrainingSettings:
        """How to train; the learning rate falls over the last 40 % of given steps."""
        given = {
            name: value
            for name in ("size_hw", "batch", "steps")
            if (value := getattr(self, name)) is not None
        }
        if self.steps is not None:
            given["decay_steps"] = round(DECAY_SHARE * self.steps)
        return replace(SYNTHETIC if self.clip is None else ADAPTING, **given)
