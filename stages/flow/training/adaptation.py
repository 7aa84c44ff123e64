"""Training without true flow, on a clip of the user's: the robust energy is the loss."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from mvrecon.errors import NotEnoughDataError
from mvrecon.learning.settings import TrainingSettings
from mvrecon.synthetic.training.batch import Draws
from stages.flow.models.energy import EnergyWeights, FlowEnergy, charbonnier, consistent
from stages.flow.models.mvflow.network import Mvflow
from stages.flow.models.warp import warp
from stages.flow.training.starts import dis_starts

WEIGHTS = EnergyWeights()
# Of the distance by which forward and back miss, px.
RETURN_WEIGHT = 0.01
# Keeps the result near the initial flow where the images say nothing.
STAY_WEIGHT = 0.002


@dataclass(frozen=True)
class ClipSample:
    """Crops of two frames, and DIS flow both ways."""

    first_b3hw: Tensor
    second_b3hw: Tensor
    forward_b2hw: Tensor
    backward_b2hw: Tensor

    def to(self, device: torch.device) -> ClipSample:
        """The same on another device."""
        return ClipSample(*(value.to(device) for value in vars(self).values()))


class ClipPairs(Dataset[ClipSample]):
    """Random crops of neighbouring frames, by training step.

    Args:
        frames_hw3: RGB frames of one size, in order.
        settings: how to train.
        furthest: up to how many frames apart a pair is.

    Raises:
        NotEnoughDataError: fewer than two frames, or frames smaller than the crops.
    """

    def __init__(
        self, frames_hw3: Sequence[NDArray[np.uint8]], settings: TrainingSettings, furthest: int = 3
    ) -> None:
        if len(frames_hw3) < 2:
            raise NotEnoughDataError("the clip has fewer than two frames", "Give a longer clip")
        if any(
            have < want for have, want in zip(frames_hw3[0].shape, settings.size_hw, strict=False)
        ):
            raise NotEnoughDataError(
                "the clip's frames are smaller than the training crops", "Train on smaller crops"
            )
        self.frames_hw3 = frames_hw3
        self.settings = settings
        self.furthest = min(furthest, len(frames_hw3) - 1)

    def __getitem__(self, step: int) -> ClipSample:
        """The sample of one step."""
        draws = Draws(self.settings.seed, step, torch.device("cpu"))
        crops: list[tuple[Tensor, Tensor]] = [self._crop(draws) for _ in range(self.settings.batch)]
        first, second = (torch.stack(images) for images in zip(*crops, strict=True))
        forward, backward = dis_starts(first, second), dis_starts(second, first)
        return ClipSample(first, second, forward, backward)

    def _crop(self, draws: Draws) -> tuple[Tensor, Tensor]:
        apart = int(draws.integers(1, self.furthest + 1, 1))
        index = int(draws.integers(0, len(self.frames_hw3) - apart, 1))
        height, width = self.settings.size_hw
        tall, wide = self.frames_hw3[0].shape[:2]
        top = int(draws.integers(0, tall - height + 1, 1))
        left = int(draws.integers(0, wide - width + 1, 1))
        window = (slice(top, top + height), slice(left, left + width))
        first, second = (
            torch.from_numpy(np.ascontiguousarray(self.frames_hw3[i][window])).permute(2, 0, 1)
            for i in (index, index + apart)
        )
        return first / 255.0, second / 255.0


def unsupervised(network: Mvflow, sample: ClipSample) -> tuple[Tensor, dict[str, float]]:
    """Energy of the flow both ways, and the distance by which forward and back miss."""
    images = (sample.first_b3hw, sample.second_b3hw)
    starts = torch.cat([sample.forward_b2hw, sample.backward_b2hw])
    with torch.autocast(starts.device.type, torch.bfloat16):
        flow = network.both_ways(*images, starts).flow_b2hw
    with torch.no_grad():
        back = flow.roll(len(flow) // 2, 0)
        visible_bhw = consistent(flow, back).float()
        target = -warp(back, flow)
    energy = FlowEnergy(torch.cat(images), torch.cat(images[::-1]), WEIGHTS)(flow, visible_bhw)
    missed = ((flow - target).abs().sum(1) * visible_bhw).sum() / visible_bhw.sum().clamp(min=1.0)
    moved = charbonnier(flow - starts, 1.0).mean()
    loss = energy + RETURN_WEIGHT * missed + STAY_WEIGHT * moved
    return loss, {"return_miss_px": float(missed.detach()), "seen_share": float(visible_bhw.mean())}
