"""`mvrecon train flow`: from options to trained, calibrated, exported weights."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from mvrecon.formats.images import list_images, read_rgb
from mvrecon.formats.video import Video
from mvrecon.learning.training import Trainer, train, training_device
from mvrecon.synthetic.training.textures import (
    some_textures,
    split_textures,
)
from stages.flow.models.mvflow.card import MVFLOW_WEIGHTS
from stages.flow.models.mvflow.model import export_mvflow, load_mvflow
from stages.flow.models.mvflow.network import Mvflow
from stages.flow.training.adaptation import ClipPairs, unsupervised
from stages.flow.training.calibration import fit_calibration
from stages.flow.training.options import TrainFlowOptions
from stages.flow.training.supervision import (
    FEATURE_STEPS,
    SyntheticPairs,
    flow_optimizer,
    supervised,
)
from stages.flow.training.validation import validate, validation_clips, validation_pairs

WEIGHTS = "mvflow.pt"
PICTURE = "validation_{}.png"
# Pairs for validation and their size, px; the confidence is fitted to others.
VALIDATION = ((12, (384, 512)), (4, (544, 960)))
CALIBRATION = (12, (352, 480))
CLIP_FRAMES = 120
CLIP_LONGEST_PX = 640


def train_flow(options: TrainFlowOptions) -> Iterator[dict[str, float]]:
    """Train for a while, yielding each validation, then write `mvflow.pt` to the folder.

    Raises:
        UsageError: the device is not there, or the weights to start from cannot be used.
        InputError: textures or clip cannot be read.
    """
    settings, device = options.settings, training_device(options.device)
    textures, held_out = split_textures(some_textures(options.textures))
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
