"""What `mvrecon train fusion` is told."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field

from mvrecon.learning.options import TrainOptions
from mvrecon.learning.settings import TrainingSettings
from mvrecon.options import Argument

# For a training of an hour on a small computer.
SETTINGS = TrainingSettings(
    steps=3000,
    decay_steps=1500,
    batch=2,
    size_hw=(160, 192),
    learning_rate=2e-3,
    average=0.99,
    validate_every=200,
    save_every=50,
)


class TrainFusionOptions(TrainOptions):
    """Training on posed clips with true depth."""

    clips: Path = Field(description="folder of posed clips")
    adversary: float = Field(
        0.0, ge=0, description="weight of an adversary that tells fused from true depth, 0 for none"
    )
    settings: Annotated[TrainingSettings, Argument(offered=False)] = Field(
        SETTINGS, description="of the training"
    )
