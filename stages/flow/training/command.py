"""`mvrecon train flow`: from options to trained, calibrated, exported weights."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mvrecon.errors import UsageError
from mvrecon.formats.images import list_images, read_rgb
from mvrecon.formats.video import Video
from mvrecon.learning.training import Trainer, TrainingSettings, train
from mvrecon.synthetic.training.textures import (
    load_textures,
    procedural_textures,
    split_textures,
)
from stages.flow.models.mvflow.card import MVFLOW_WEIGHTS
from stages.flow.models.mvflow.model import export_mvflow, load_mvflow
from stages.flow.models.mvflow.network import STRIDE, Mvflow
from stages.flow.training.adaptation import ClipPairs, unsupervised
from stages.flow.training.calibration import fit_calibration
from stages.flow.training.supervision import (
    FEATURE_STEPS,
    SyntheticPairs,
    flow_optimizer,
    supervised,
)
from stages.flow.training.validation import validate, validation_pairs
from stages.flow.training.validation_clips import validation_clips

WEIGHTS = "mvflow.pt"
PICTURE = "validation_{}.png"
PROCEDURAL_TEXTURES = 64
# Pairs for validation and their size, px; the confidence is fitted to others.
VALIDATION = ((12, (384, 512)), (4, (544, 960)))
CALIBRATION = (12, (352, 480))
SYNTHETIC = TrainingSettings(
    steps=20_000, decay_steps=8_000, batch=2, size_hw=(288, 384), learning_rate=1.5e-3
)
ADAPTING = TrainingSettings(
    steps=2_000, decay_steps=1_000, batch=2, size_hw=(224, 320), learning_rate=1e-4
)
DECAY_SHARE = 0.4
CLIP_FRAMES = 120
CLIP_LONGEST_PX = 640


@dataclass(frozen=True)
class TrainFlowOptions:
    """What `mvrecon train flow` is told.

    Attributes:
        folder: where checkpoint, tables, picture and weights go; a run there is resumed.
        minutes: how long to train now.
        textures: folder of images for the synthetic scenes; noise if None.
        clip: video or folder of images to adapt to, without true flow.
        start: weights to start from; the shipped ones for a clip, random ones otherwise.
        device: `cpu` or `cuda`.
        size_hw: of the pairs, px, multiples of 32; None: as `SYNTHETIC` or `ADAPTING` says.
        batch: pairs a step; None: likewise.
        steps: at which training ends; the last 40 % have a falling rate; None: likewise.
    """

    folder: Path
    minutes: float = 60.0
    textures: Path | None = None
    clip: Path | None = None
    start: Path | None = None
    device: str = "cpu"
    size_hw: tuple[int, int] | None = None
    batch: int | None = None
    steps: int | None = None

    @property
    def settings(self) -> TrainingSettings:
        """How to train.

        Raises:
            UsageError: a size, batch or number of steps that cannot be.
        """
        settings = SYNTHETIC if self.clip is None else ADAPTING
        if self.size_hw is not None:
            if any(side < STRIDE or side % STRIDE for side in self.size_hw):
                raise UsageError(
                    f"training size {self.size_hw[0]} × {self.size_hw[1]} px",
                    f"Give multiples of {STRIDE}",
                )
            settings = replace(settings, size_hw=self.size_hw)
        if self.batch is not None:
            settings = replace(settings, batch=_positive("batch", self.batch))
        if self.steps is not None:
            steps = _positive("steps", self.steps)
            settings = replace(settings, steps=steps, decay_steps=round(DECAY_SHARE * steps))
        return settings


def train_flow(options: TrainFlowOptions) -> Iterator[dict[str, float]]:
    """Train for a while, yielding each validation, then write `mvflow.pt` to the folder.

    Raises:
        UsageError: the device is not there, or the weights to start from cannot be used.
        InputError: textures or clip cannot be read.
    """
    settings, device = options.settings, _device(options.device)
    textures, held_out = split_textures(_textures(options.textures))
    validations = {str(spec[1][1]): validation_pairs(held_out, *spec) for spec in VALIDATION}
    validations["clips"] = validation_clips(held_out)
    if options.start is not None or options.clip is not None:
        network, _ = load_mvflow(options.start or MVFLOW_WEIGHTS)
        network.train()
    else:
        torch.manual_seed(settings.seed)
        network = Mvflow()
    data: SyntheticPairs | ClipPairs
    if options.clip is None:
        feature_steps = FEATURE_STEPS if options.start is None else 0
        data = SyntheticPairs(textures, settings, feature_steps)
        trainer = Trainer(network, settings, supervised, device, flow_optimizer(network))
    else:
        data = ClipPairs(read_clip(options.clip), settings)
        trainer = Trainer(network, settings, unsupervised, device)

    def check(network: Mvflow) -> dict[str, float]:
        network.cpu()
        numbers = {}
        for label, pairs in validations.items():
            found = validate(network, pairs, options.folder / PICTURE.format(label))
            numbers.update({f"{name}_{label}": value for name, value in found.items()})
        return numbers

    yield from train(trainer, data, options.folder, options.minutes, check)
    trained = trainer.averaged_model().cpu()
    calibration = fit_calibration(trained, validation_pairs(held_out, *CALIBRATION))
    export_mvflow(trained, calibration, options.folder / WEIGHTS)


def read_clip(path: Path) -> list[NDArray[np.uint8]]:
    """The first frames of a video, or the images of a folder, at a bounded size.

    Raises:
        InputError: it cannot be read.
    """
    if path.is_dir():
        images = list_images(path)[:CLIP_FRAMES]
        return [read_rgb(image, CLIP_LONGEST_PX) for image in images]
    return [frame.rgb_hw3(CLIP_LONGEST_PX) for frame in islice(Video(path), CLIP_FRAMES)]


def _textures(folder: Path | None) -> Tensor:
    return procedural_textures(PROCEDURAL_TEXTURES) if folder is None else load_textures(folder)


def _device(name: str) -> torch.device:
    if name == "cuda" and not torch.cuda.is_available():
        raise UsageError("this machine has no CUDA device", "Train with --device cpu")
    return torch.device(name)


def _positive(name: str, value: int) -> int:
    if value < 1:
        raise UsageError(f"{value} {name} of training", "Give a positive number")
    return value
