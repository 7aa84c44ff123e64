"""Training with true flow, on synthetic pairs."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.utils.data import Dataset

from mvrecon.synthetic.training.augmentation import augment
from mvrecon.synthetic.training.batch import Draws, FlowBatch
from mvrecon.synthetic.training.scenes import scene_batch
from mvrecon.training import TrainingSettings
from stages.flow.mvflow_losses import endpoint_error, supervised_loss, weighted_mean
from stages.flow.mvflow_network import Mvflow
from stages.flow.mvflow_start import training_start

USES, APART = 3, 8


@dataclass(frozen=True)
class SyntheticSample:
    """Pairs with true flow, and the initial flow that mvflow is to correct."""

    batch: FlowBatch
    start_b2hw: Tensor

    def to(self, device: torch.device) -> SyntheticSample:
        """The same on another device."""
        return SyntheticSample(self.batch.to(device), self.start_b2hw.to(device))


class SyntheticPairs(Dataset[SyntheticSample]):
    """Endless augmented pairs, by training step.

    Making scenes is a good part of the cost of a step, so each is used three times: as it is
    and mirrored either way, always with fresh augmentation and another initial flow. The
    uses lie `APART` steps from each other.

    Args:
        textures_nhw3: uint8, RGB.
        settings: how to train.
    """

    def __init__(self, textures_nhw3: Tensor, settings: TrainingSettings) -> None:
        self.textures_nhw3 = textures_nhw3
        self.settings = settings
        self._kept: dict[int, FlowBatch] = {}

    def __getitem__(self, step: int) -> SyntheticSample:
        """The sample of one step."""
        block, position = divmod(step, USES * APART)
        use, scene = divmod(position, APART)
        batch = self._scenes(block * APART + scene)
        if use > 0:
            batch = batch.mirrored(use - 1)
        draws = Draws(self.settings.seed + 1, step, self.textures_nhw3.device)
        batch = augment(batch, draws)
        start_b2hw = training_start(batch.first_b3hw, batch.second_b3hw, draws)
        return SyntheticSample(batch, start_b2hw)

    def _scenes(self, index: int) -> FlowBatch:
        if index not in self._kept:
            self._kept = {k: v for k, v in self._kept.items() if k // APART == index // APART}
            draws = Draws(self.settings.seed, index, self.textures_nhw3.device)
            self._kept[index] = scene_batch(
                self.textures_nhw3, draws, self.settings.size_hw, self.settings.batch
            )
        return self._kept[index]


def supervised(network: Mvflow, sample: SyntheticSample) -> tuple[Tensor, dict[str, float]]:
    """Loss, and the error over visible pixels before and after."""
    batch, start_b2hw = sample.batch, sample.start_b2hw
    with torch.autocast(start_b2hw.device.type, torch.bfloat16):
        output = network(batch.first_b3hw, batch.second_b3hw, start_b2hw)
    loss = supervised_loss(output, batch.flow_b2hw, batch.visible_bhw)
    with torch.no_grad():
        seen = batch.visible_bhw.float()
        error, start_error = (
            weighted_mean(endpoint_error(flow, batch.flow_b2hw), seen)
            for flow in (output.flow_b2hw, start_b2hw)
        )
    return loss, {"epe_px": float(error), "start_epe_px": float(start_error)}
