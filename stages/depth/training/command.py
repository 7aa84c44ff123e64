"""`mvrecon train depth`: from options to clips, trained network and exported weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import torch

from mvrecon.errors import UsageError
from mvrecon.learning.muon import Muon, muon_for
from mvrecon.learning.training import Trainer, train, training_device
from mvrecon.learning.weights import export_weights
from mvrecon.synthetic.training.clips.files import PosedClip, clip_paths, held_out, load_clip
from mvrecon.synthetic.training.clips.posed_clips import make_clip, render_clips
from mvrecon.synthetic.training.clips.render import texture_pyramid
from mvrecon.synthetic.training.clips.scenes import KINDS
from mvrecon.synthetic.training.clips.solids import load_meshes
from mvrecon.synthetic.training.clips.torch_clips import KIND as SOLIDS_KIND
from mvrecon.synthetic.training.clips.torch_clips import make_torch_clip
from mvrecon.synthetic.training.textures import some_textures
from stages.depth.learned.model import load_network
from stages.depth.learned.network import DepthNet
from stages.depth.training.clip_starts import FlowsOfClip, add_starts
from stages.depth.training.options import TrainDepthOptions
from stages.depth.training.samples import ClipSamples
from stages.depth.training.supervision import supervised
from stages.depth.training.validation import validate, validation_clips

WEIGHTS = "depthnet.pt"
PICTURE = "validation.png"
FIRST_AND_LAST = (
    "encoder.stem",
    "trust",
    "corrections",
    "update.change",
    "upsampler.mask",
    "upsampler.mixture",
)


def train_depth(
    options: TrainDepthOptions, flows_of_clip: FlowsOfClip
) -> Iterator[dict[str, float]]:
    """Train for a while, yielding each validation, then write `depthnet.pt` to the folder.

    Clips that are not there yet are rendered first, each once.

    Args:
        options: what was asked for.
        flows_of_clip: the flow stage's part.

    Raises:
        UsageError: the device is not there, or the weights to start from cannot be used.
        InputError: textures cannot be read.
    """
    device = training_device(options.device)
    kinds = [*KINDS, SOLIDS_KIND]
    if options.without is not None and options.without not in kinds:
        raise UsageError(f"no kind of scene is called {options.without!r}", f"One of {kinds}")
    clips = list(add_starts(_rendered(options), flows_of_clip))
    training, validation = split(clips, options.without)
    held = validation_clips(validation)
    settings = options.settings.within(options.steps)
    torch.manual_seed(settings.seed)
    network = DepthNet() if options.start is None else load_network(options.start).train()
    trainer = Trainer(network, settings, supervised, device, depth_optimizer(network))
    data = ClipSamples(training, settings.seed, settings.batch)

    def check(network: DepthNet) -> dict[str, float]:
        return validate(network.cpu(), held, options.folder / PICTURE)

    yield from train(trainer, data, options.folder, options.minutes, check)
    trained = trainer.averaged_model().cpu()
    export_weights(trained, trained.settings, options.folder / WEIGHTS)


def depth_optimizer(network: DepthNet) -> Muon:
    """Muon for all but the first and last layers."""
    return muon_for(network, FIRST_AND_LAST)


def _rendered(options: TrainDepthOptions) -> list[Path]:
    folder = options.clips or options.folder / "clips"
    wanted = range(options.count)
    missing = [index for index in wanted if not (folder / f"{index:06d}.npz").is_file()]
    if missing:
        for _ in render_clips(folder, missing, _maker(options)):
            pass
    return clip_paths(folder)[: options.count]


def _maker(options: TrainDepthOptions) -> Callable[[int], PosedClip]:
    """What renders the clip of a number."""
    textures_nhw3 = some_textures(options.textures)
    if options.renderer == "torch":
        return partial(make_torch_clip, textures_nhw3=textures_nhw3.to(options.device))
    meshes = [] if options.meshes is None else load_meshes(options.meshes)
    return partial(make_clip, textures=texture_pyramid(textures_nhw3), meshes=meshes)


def split(clips: Sequence[Path], without: str | None) -> tuple[list[Path], list[Path]]:
    """Clips to train on and to validate on; a kind of scene may be held out whole."""
    if without is None:
        return held_out(clips)
    kinds = [load_clip(path).kind for path in clips]
    training = [path for path, kind in zip(clips, kinds, strict=True) if kind != without]
    return training, [path for path, kind in zip(clips, kinds, strict=True) if kind == without]
