"""What a training is told, and how it trains; nothing heavy is imported for it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from mvrecon.engine.config import OptionGroup
from mvrecon.options import Argument


@dataclass(frozen=True)
class TrainingSettings:
    """How to train.

    Attributes:
        steps: at which the learning rate has fallen to zero.
        decay_steps: over which it falls at the end; constant before.
        batch: samples a step.
        size_hw: image size, px.
        learning_rate: at its highest.
        warmup_steps: over which it rises.
        seed: of the data.
        average: decay a step of the running mean of the weights that is kept.
        validate_every, save_every: steps.
    """

    steps: int = 100_000
    decay_steps: int = 20_000
    batch: int = 4
    size_hw: tuple[int, int] = (160, 224)
    learning_rate: float = 6e-4
    warmup_steps: int = 30
    seed: int = 1
    average: float = 0.998
    validate_every: int = 250
    save_every: int = 50


class TrainOptions(OptionGroup):
    """What every `mvrecon train` is told; its command line is made from this."""

    folder: Annotated[Path, Argument(metavar="DIR", positional=True)] = Field(
        description="checkpoints, curves and weights; a run in it is resumed"
    )
    minutes: float = Field(60.0, ge=0, description="stop after this time [min]")
    start: Path | None = Field(None, description="weights to start from, random ones by default")
    device: Literal["cpu", "cuda"] = Field("cpu", description="where to train")
