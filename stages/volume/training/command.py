"""`mvrecon train slices`: from options to a trained network and its weights."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from mvrecon.learning.muon import muon_for
from mvrecon.learning.training import Trainer, train, training_device
from mvrecon.learning.weights import export_weights
from mvrecon.synthetic.training.volumes import thick_volume
from stages.volume.denoise.slices.model import load_network
from stages.volume.denoise.slices.network import SliceNet
from stages.volume.training.options import TrainSlicesOptions
from stages.volume.training.samples import SLICES, SliceSample, VolumeSamples

WEIGHTS = "slicenet.pt"
FIRST_AND_LAST = ("stem", "gains", "places")
VALIDATED_FACTORS = (2, 3, 5)
VALIDATION_VOLUMES = 6
VALIDATION_SEED = 10_007  # not that of a training
# Of the loss: differences from here on count by their size, smaller ones by its square.
SOFT = 0.01
# Of differences between neighbours, which tell where a surface is, against values.
STEP_WEIGHT = 0.5


def train_slices(options: TrainSlicesOptions) -> Iterator[dict[str, float]]:
    """Train for a while, yielding each validation, then write `slicenet.pt` to the folder.

    Raises:
        UsageError: the device is not there, or the weights to start from cannot be used.
    """
    device = training_device(options.device)
    settings = options.settings.within(options.steps)
    held_out = validation_samples(settings.size_hw)
    torch.manual_seed(settings.seed)
    network = SliceNet() if options.start is None else load_network(options.start).train()
    trainer = Trainer(network, settings, objective, device, muon_for(network, FIRST_AND_LAST))

    def check(network: SliceNet) -> dict[str, float]:
        return validate(network.cpu(), held_out)

    yield from train(trainer, VolumeSamples(settings), options.folder, options.minutes, check)
    trained = trainer.averaged_model().cpu()
    export_weights(trained, trained.settings, options.folder / WEIGHTS)


def objective(network: SliceNet, sample: SliceSample) -> tuple[Tensor, dict[str, float]]:
    """How far thin slices and the steps between voxels are off, and the former as a number."""
    with torch.autocast(sample.thin_bkhw.device.type, torch.bfloat16):
        thin = network(sample.thick_b1khw, sample.noise_b, sample.factor)
    error = thin - sample.thin_bkhw
    loss = _robust(error)
    for axis in (1, 2, 3):
        loss = loss + STEP_WEIGHT / 3 * _robust(error.diff(dim=axis))
    return loss, {"error": float(error.detach().abs().mean())}


def _robust(error: Tensor) -> Tensor:
    return (torch.sqrt(error.square() + SOFT**2) - SOFT).mean()


def validation_samples(size_hw: tuple[int, int]) -> list[SliceSample]:
    """The same ones each time: a batch a factor."""
    random = np.random.default_rng(VALIDATION_SEED)
    return [
        SliceSample.of(
            [thick_volume(SLICES, size_hw, factor, random) for _ in range(VALIDATION_VOLUMES)]
        )
        for factor in VALIDATED_FACTORS
    ]


@torch.no_grad()
def validate(network: SliceNet, samples: list[SliceSample]) -> dict[str, float]:
    """Mean error of linear interpolation and of the network, by factor, in contrasts."""
    figures = {}
    for one in samples:
        scale = (one.factor, 1, 1)
        linear = F.interpolate(one.thick_b1khw, scale_factor=scale, mode="trilinear")[:, 0]
        thin = network(one.thick_b1khw, one.noise_b, one.factor)
        figures[f"linear_{one.factor}"] = float((linear - one.thin_bkhw).abs().mean())
        figures[f"learned_{one.factor}"] = float((thin - one.thin_bkhw).abs().mean())
    return figures
