"""`mvrecon train completion`: the prior over depth, from what the pipeline measured."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from mvrecon.errors import NotEnoughDataError
from mvrecon.learning.training import Trainer, train, training_device
from mvrecon.learning.weights import export_weights
from mvrecon.synthetic.training.clips.files import (
    HELD_OUT_EVERY,
    DepthsOfClips,
    clip_paths,
    held_out,
)
from stages.fusion.completion.model import load_network
from stages.fusion.completion.network import QUARTER, CompletionNetwork, Gaussian, divergence
from stages.fusion.training.completion.data import (
    CompletionSample,
    HoleSamples,
    Views,
    clip_views,
    run_views,
)
from stages.fusion.training.completion.validation import HoleValidation
from stages.fusion.training.losses import gradient_loss, mean_where, robust
from stages.fusion.training.options import TrainCompletionOptions

WEIGHTS = "completion.pt"
PICTURE = "validation.png"
VALIDATION_GROUPS = 20
GRADIENT_WEIGHT = 0.5
COARSE_WEIGHT = 0.4
# What was measured comes out of the network smoothed, but it must not drift.
MEASURED_WEIGHT = 0.1
DIVERGENCE_WEIGHT = 0.01
# In so many samples the network is told what the prior expects, as when it is used.
EXPECTED_SHARE = 0.5


def train_completion(
    options: TrainCompletionOptions, depths_of_clips: DepthsOfClips
) -> Iterator[dict[str, float]]:
    """Train for a while, yielding each validation, then write `completion.pt` to the folder.

    Args:
        options: what was asked for.
        depths_of_clips: the depth stage's part, where it is not done yet.

    Raises:
        UsageError: the device is not there, or the weights to start from cannot be used.
        InputError: there are no clips, or a run has no depth.
        NotEnoughDataError: there is too little to train and to validate with.
    """
    device = training_device(options.device)
    used, unseen = training_views(options, depths_of_clips)
    validation = HoleValidation(unseen[:VALIDATION_GROUPS], options.folder / PICTURE)
    if not used or not validation.views:
        raise NotEnoughDataError(
            f"there are {len(used)} clips and views to train and {len(unseen)} to validate with",
            "Give more clips (mvrecon train depth renders some) or longer runs",
        )
    torch.manual_seed(options.settings.seed)
    network = load_network(options.start).train() if options.start else CompletionNetwork()
    trainer = Trainer(network, options.settings, objective, device)
    data = HoleSamples(used, options.settings)
    yield from train(trainer, data, options.folder, options.minutes, validation)
    trained = trainer.averaged_model().cpu()
    export_weights(trained, trained.settings, options.folder / WEIGHTS)


def training_views(
    options: TrainCompletionOptions, depths_of_clips: DepthsOfClips
) -> tuple[list[Views], list[Views]]:
    """Groups of views to train with, and those held out."""
    used: list[Views] = []
    unseen: list[Views] = []
    if options.clips is not None:
        cache = options.folder / f"cues-{depths_of_clips.model}"
        parts = held_out(clip_paths(options.clips))
        for views, paths in zip((used, unseen), parts, strict=True):
            views += [clip_views(path, depths_of_clips, cache) for path in paths]
    for run_dir in options.runs:
        views = run_views(run_dir)
        split = len(views) - len(views) // HELD_OUT_EVERY
        used += views[:split]
        unseen += views[split:]
    return used, unseen


def objective(
    network: CompletionNetwork, sample: CompletionSample
) -> tuple[Tensor, dict[str, float]]:
    """Evidence lower bound: how well what was hidden is told, and what the latent costs.

    The numbers are means of |log estimate / hidden depth| of the inpainting and of the network.
    """
    given, whole, known = sample.given, sample.whole_b1hw, sample.known_b1hw > 0
    with torch.autocast(whole.device.type, torch.bfloat16):
        condition = network.condition(given)
        expected = network.expected(condition)
        explained = network.explained(condition, whole, sample.known_b1hw)
        completed, coarse = network.decode(condition, _latent(expected, explained))
    error = completed - whole[:, 0]
    hidden = known & (given.measured_b1hw == 0)
    sampled = (slice(None), slice(2, None, QUARTER), slice(2, None, QUARTER))
    coarse_error = coarse - whole[:, 0][sampled]
    cost = divergence(explained, expected)
    loss = (
        mean_where(robust(error), hidden[:, 0])
        + MEASURED_WEIGHT * mean_where(robust(error), known[:, 0])
        + COARSE_WEIGHT * mean_where(robust(coarse_error), hidden[:, 0][sampled])
        + GRADIENT_WEIGHT * gradient_loss(error, known[:, 0])
        + DIVERGENCE_WEIGHT * cost
    )
    plain = condition.fill_b1hw - whole[..., 2::QUARTER, 2::QUARTER]
    numbers = {
        "error": float(mean_where(error.detach().abs(), hidden[:, 0])),
        "plain_error": float(mean_where(plain.abs(), hidden[..., 2::QUARTER, 2::QUARTER])),
        "divergence": float(cost.detach()),
    }
    return loss, numbers


def _latent(expected: Gaussian, explained: Gaussian) -> Tensor:
    """Some samples are decoded from the prior's mean, the others from the posterior."""
    drawn = explained.sample(torch.randn_like(explained.mean))
    as_used = torch.rand(len(drawn), 1, 1, 1, device=drawn.device) < EXPECTED_SHARE
    return torch.where(as_used, expected.mean, drawn)
