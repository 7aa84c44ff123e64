"""What the training sees: batches of thick slices with the thin ones that they are of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from mvrecon.learning.settings import TrainingSettings
from mvrecon.synthetic.training.volumes import FACTORS, ThickVolume, thick_volume

SLICES = 12
# Of the noise that is told: it is measured, never known.
NOISE_SPREAD = 0.15


@dataclass(frozen=True)
class SliceSample:
    """A batch, of one factor.

    Attributes:
        thick_b1khw: what is given.
        noise_b: deviation of its noise.
        thin_bkhw: what is wanted.
        factor: thin slices to a thick one.
    """

    thick_b1khw: Tensor
    noise_b: Tensor
    thin_bkhw: Tensor
    factor: int

    @classmethod
    def of(cls, volumes: list[ThickVolume]) -> SliceSample:
        """Volumes of one factor and size."""
        return cls(
            torch.from_numpy(np.stack([one.thick_khw for one in volumes])[:, None]),
            torch.tensor([one.noise for one in volumes], dtype=torch.float32),
            torch.from_numpy(np.stack([one.thin_khw for one in volumes])),
            volumes[0].factor,
        )

    def to(self, device: torch.device) -> SliceSample:
        """The same on another device."""
        return SliceSample(
            self.thick_b1khw.to(device),
            self.noise_b.to(device),
            self.thin_bkhw.to(device),
            self.factor,
        )


class VolumeSamples(Dataset[SliceSample]):
    """Endless batches by training step.

    Args:
        settings: how to train.
    """

    def __init__(self, settings: TrainingSettings) -> None:
        self.settings = settings

    def __getitem__(self, step: int) -> SliceSample:
        """The batch of one step."""
        random = np.random.default_rng([self.settings.seed, step])
        factor = int(random.choice(FACTORS))
        volumes = []
        for _ in range(self.settings.batch):
            one = thick_volume(SLICES, self.settings.size_hw, factor, random)
            told = one.noise * float(np.exp(NOISE_SPREAD * random.standard_normal()))
            volumes.append(one._replace(noise=told))
        return SliceSample.of(volumes)
