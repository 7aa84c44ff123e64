"""How a training goes; nothing heavy is imported for it."""

from __future__ import annotations

from dataclasses import dataclass, replace

# Of steps that are given, over which the learning rate falls.
DECAY_SHARE = 0.6


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

    def within(self, steps: int | None) -> TrainingSettings:
        """The same for so many steps, if they are given."""
        if steps is None:
            return self
        return replace(self, steps=steps, decay_steps=round(DECAY_SHARE * steps))
