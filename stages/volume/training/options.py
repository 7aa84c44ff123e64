"""What `mvrecon train slices` is told."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from mvrecon.learning.options import TrainOptions
from mvrecon.learning.settings import TrainingSettings
from mvrecon.options import Argument

# For a training of an hour on one core.
SETTINGS = TrainingSettings(
    steps=6000,
    decay_steps=3500,
    batch=4,
    size_hw=(40, 40),
    learning_rate=3e-3,
    average=0.995,
    validate_every=200,
    save_every=20,
)


class TrainSlicesOptions(TrainOptions):
    """Training on synthetic volumes, made as it goes."""

    steps: int | None = Field(
        None, ge=1, description="at which the learning rate has fallen to zero"
    )
    settings: Annotated[TrainingSettings, Argument(offered=False)] = Field(
        SETTINGS, description="of the training, but for steps that are given"
    )
