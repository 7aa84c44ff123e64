"""Training with true flow, on synthetic pairs."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.utils.data import Dataset

from mvrecon.learning.muon import Muon, muon_for
from mvrecon.learning.settings import TrainingSettings
from mvrecon.synthetic.training.batch import Draws, FlowBatch, FlowPairs
from mvrecon.synthetic.training.pairs.augmentation import augment
from mvrecon.synthetic.training.pairs.mixture import scene_pairs
from stages.flow.models.mvflow.network import Mvflow
from stages.flow.training.losses import endpoint_error, matching_loss, supervised_loss
from stages.flow.training.starts import training_start

USES, APART = 4, 8
# Matching is learnt first, without the rest: updates can use no features that mean nothing.
FEATURE_STEPS = 450
# Layers that Adam trains: the first, and those whose outputs are flow, weights or scales.
FIRST_AND_LAST = (
    "encoder.stem",
    "update.changes",
    "upsampler.mask",
    "upsampler.detail",
    "upsampler.mixture",
)


@dataclass(frozen=True)
class SyntheticSample:
    """Pairs with true flow both ways, and the initial flows that mvflow is to correct.

    Attributes:
        pairs: images, flow and visibility.
        start_b2hw: first → second for all pairs, then second → first; none while only
            features are trained.
    """

    pairs: FlowPairs
    start_b2hw: Tensor | None

    def to(self, device: torch.device) -> SyntheticSample:
        """The same on another device."""
        start_b2hw = None if self.start_b2hw is None else self.start_b2hw.to(device)
        return SyntheticSample(self.pairs.to(device), start_b2hw)


class SyntheticPairs(Dataset[SyntheticSample]):
    """Endless augmented pairs, by training step.

    Making scenes is a good part of the cost of a step, so each is used four times: as it is
    and mirrored either way and both, always with fresh augmentation and another initial
    flow. The uses lie `APART` steps from each other.

    Args:
        textures_nhw3: uint8, RGB.
        settings: how to train.
        feature_steps: during the first of them only matching is trained.
    """

    def __init__(
        self,
        textures_nhw3: Tensor,
        settings: TrainingSettings,
        feature_steps: int = FEATURE_STEPS,
    ) -> None:
        self.textures_nhw3 = textures_nhw3
        self.settings = settings
        self.feature_steps = feature_steps
        self._kept: dict[int, FlowPairs] = {}

    def __getitem__(self, step: int) -> SyntheticSample:
        """The sample of one step."""
        block, position = divmod(step, USES * APART)
        use, scene = divmod(position, APART)
        pairs = seen_again(self._scenes(block * APART + scene), use)
        draws = Draws(self.settings.seed + 1, step, self.textures_nhw3.device)
        pairs = augment(pairs, draws)
        if step < self.feature_steps:
            return SyntheticSample(pairs, None)
        batch = FlowBatch.concatenate([pairs.forward, pairs.backward])
        start_b2hw = training_start(batch.first_b3hw, batch.second_b3hw, draws)
        return SyntheticSample(pairs, start_b2hw)

    def _scenes(self, index: int) -> FlowPairs:
        if index not in self._kept:
            self._kept = {k: v for k, v in self._kept.items() if k // APART == index // APART}
            draws = Draws(self.settings.seed, index, self.textures_nhw3.device)
            batch = self.settings.batch
            rigid = (batch + index % 2) // 2
            self._kept[index] = scene_pairs(
                self.textures_nhw3, draws, self.settings.size_hw, batch - rigid, rigid
            )
        return self._kept[index]


def seen_again(pairs: FlowPairs, use: int) -> FlowPairs:
    """As they are, mirrored left to right, top to bottom, or both, for uses 0…3."""
    for axis in (0, 1):
        if use & (1 << axis):
            pairs = pairs.mirrored(axis)
    return pairs


def flow_optimizer(network: Mvflow) -> Muon:
    """Muon for all but the first and last layers."""
    return muon_for(network, FIRST_AND_LAST)


def supervised(network: Mvflow, sample: SyntheticSample) -> tuple[Tensor, dict[str, float]]:
    """Loss, and the mean error over all pixels before and after."""
    pairs, start_b2hw = sample.pairs, sample.start_b2hw
    if start_b2hw is None:
        images = (pairs.forward.first_b3hw, pairs.forward.second_b3hw)
        batch = FlowBatch.concatenate([pairs.forward, pairs.backward])
        with torch.autocast(batch.flow_b2hw.device.type, torch.bfloat16):
            matched = network.matched_both_ways(*images)
            loss = matching_loss(matched, batch.flow_b2hw, batch.visible_bhw)
        return loss, {"epe_px": math.nan, "start_epe_px": math.nan}
    loss, batch, flow_b2hw = loss_and_flow(network, pairs, start_b2hw)
    with torch.no_grad():
        error, start_error = (
            float(endpoint_error(flow, batch.flow_b2hw).mean()) for flow in (flow_b2hw, start_b2hw)
        )
    return loss, {"epe_px": error, "start_epe_px": start_error}


def loss_and_flow(
    network: Mvflow, pairs: FlowPairs, start_b2hw: Tensor
) -> tuple[Tensor, FlowBatch, Tensor]:
    """Loss, the pairs both ways in one batch, and the flow that was found for them."""
    images = (pairs.forward.first_b3hw, pairs.forward.second_b3hw)
    batch = FlowBatch.concatenate([pairs.forward, pairs.backward])
    with torch.autocast(batch.flow_b2hw.device.type, torch.bfloat16):
        output = network.both_ways(*images, start_b2hw)
    loss = supervised_loss(output, batch.flow_b2hw, batch.visible_bhw)
    return loss, batch, output.flow_b2hw.detach()
