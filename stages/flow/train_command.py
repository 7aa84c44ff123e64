"""`mvrecon train flow`: from options to trained, calibrated, exported weights."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mvrecon.errors import UsageError
from mvrecon.formats.images import list_images, read_rgb
from mvrecon.formats.video import Video
from mvrecon.synthetic.training.textures import load_textures, procedural_textures
from mvrecon.training import Trainer, TrainingSettings, train
from stages.flow.adaptation import ClipPairs, unsupervised
from stages.flow.mvflow import export_mvflow, load_mvflow
from stages.flow.mvflow_confidence import fit_calibration
from stages.flow.mvflow_network import Mvflow
from stages.flow.supervision import SyntheticPairs, supervised
from stages.flow.validation import validate, validation_pairs

WEIGHTS = "mvflow.pt"
PICTURE = "validation.png"
PROCEDURAL_TEXTURES = 64
VALIDATION_PAIRS = 16
VALIDATION_SIZE = (256, 320)
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
        settings: of the training.
    """

    folder: Path
    minutes: float = 60.0
    textures: Path | None = None
    clip: Path | None = None
    start: Path | None = None
    device: str = "cpu"
    settings: TrainingSettings = field(default_factory=TrainingSettings)


def train_flow(options: TrainFlowOptions) -> Iterator[dict[str, float]]:
    """Train for a while, yielding each validation, then write `mvflow.pt` to the folder.

    Raises:
        UsageError: the device is not there, or the weights to start from cannot be used.
        InputError: textures or clip cannot be read.
    """
    device = _device(options.device)
    textures = _textures(options.textures)
    pairs = validation_pairs(textures, VALIDATION_PAIRS, VALIDATION_SIZE)
    if options.start is not None or options.clip is not None:
        network, _ = load_mvflow(options.start)
        network.train()
    else:
        torch.manual_seed(options.settings.seed)
        network = Mvflow()
    data: SyntheticPairs | ClipPairs
    if options.clip is None:
        data = SyntheticPairs(textures, options.settings)
        trainer = Trainer(network, options.settings, supervised, device)
    else:
        data = ClipPairs(read_clip(options.clip), options.settings)
        trainer = Trainer(network, options.settings, unsupervised, device)

    def check(network: Mvflow) -> dict[str, float]:
        return validate(network.cpu(), pairs, options.folder / PICTURE)

    yield from train(trainer, data, options.folder, options.minutes, check)
    trained = trainer.averaged_model().cpu()
    export_mvflow(trained, fit_calibration(trained, pairs), options.folder / WEIGHTS)


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
