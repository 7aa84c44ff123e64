"""`mvrecon train fusion`: from posed clips to exported weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from mvrecon.errors import NotEnoughDataError
from mvrecon.learning.training import Trainer, train, training_device
from mvrecon.learning.weights import export_weights
from mvrecon.synthetic.training.clips.files import DepthsOfClips, clip_paths, held_out
from stages.fusion.recurrent.model import load_network
from stages.fusion.recurrent.network import FusionNetwork, FusionOutput
from stages.fusion.recurrent.step import Memory, results, run_network
from stages.fusion.training.adversarial import AdversarialFusion
from stages.fusion.training.data import (
    LARGEST_MEDIAN_ERROR,
    ClipSequences,
    FusionSample,
    median_error,
    read_frames,
)
from stages.fusion.training.losses import Truth, mean_where, single_loss, temporal_loss
from stages.fusion.training.options import TrainFusionOptions
from stages.fusion.training.validation import Validation

WEIGHTS = "fusion.pt"
PICTURE = "validation.png"
VALIDATION_CLIPS = 10
WINDOW_FRAMES = 4
# Gradients reach so many views back.
TRUNCATION = 2


def train_fusion(
    options: TrainFusionOptions, depths_of_clips: DepthsOfClips
) -> Iterator[dict[str, float]]:
    """Train for a while, yielding each validation, then write `fusion.pt` to the folder.

    Args:
        options: what was asked for.
        depths_of_clips: the depth stage's part, where it is not done yet.

    Raises:
        UsageError: the device is not there, or the weights to start from cannot be used.
        InputError: there are no clips.
        NotEnoughDataError: there are too few to train and to validate with.
    """
    device = training_device(options.device)
    used, unseen = held_out(clip_paths(options.clips))
    cache = options.folder / f"cues-{depths_of_clips.model}"
    clips = [read_frames(path, depths_of_clips, cache) for path in unseen[:VALIDATION_CLIPS]]
    clips = [clip for clip in clips if median_error(clip) < LARGEST_MEDIAN_ERROR]
    if not used or not clips:
        raise NotEnoughDataError(
            f"{options.clips} has {len(used)} clips to train and {len(clips)} to validate with",
            "Render some dozens with: mvrecon train depth",
        )
    settings = options.settings.within(options.steps)
    torch.manual_seed(settings.seed)
    network = load_network(options.start).train() if options.start else FusionNetwork()
    validation = Validation(clips, options.folder / PICTURE)
    data = ClipSequences(used, depths_of_clips, cache, settings, WINDOW_FRAMES)
    if options.adversary > 0:
        rivals = AdversarialFusion(network, options.adversary)
        trainer = Trainer(rivals, settings, adversarial_objective, device)
        yield from train(
            trainer, data, options.folder, options.minutes, lambda model: validation(model.network)
        )
        trained = trainer.averaged_model().network.cpu()
    else:
        alone = Trainer(network, settings, objective, device)
        yield from train(alone, data, options.folder, options.minutes, validation)
        trained = alone.averaged_model().cpu()
    export_weights(trained, trained.settings, options.folder / WEIGHTS)


def adversarial_objective(
    model: AdversarialFusion, sample: FusionSample
) -> tuple[Tensor, dict[str, float]]:
    """The same with an adversary."""
    return objective(model.network, sample, model.game)


def objective(
    network: FusionNetwork,
    sample: FusionSample,
    further: Callable[[FusionOutput, Truth], Tensor] | None = None,
) -> tuple[Tensor, dict[str, float]]:
    """Loss of sequences (truncated back-propagation through time), and mean errors.

    The numbers are means of |log estimate / truth| of the consensus and of the network.

    Args:
        network: what is trained.
        sample: sequences.
        further: another loss of each view.
    """
    memories: list[Memory | None] = [None] * len(sample.views[0])
    losses: list[Tensor] = []
    errors: list[float] = []
    start_errors: list[float] = []
    before: tuple[Tensor, Truth] | None = None
    for time, (views, truth) in enumerate(zip(sample.views, sample.truths, strict=True)):
        with torch.autocast(truth.log_inverse_bhw.device.type, torch.bfloat16):
            output = run_network(network, views, memories)
        loss, error = single_loss(output, truth)
        if further is not None:
            loss = loss + further(output, truth)
        losses.append(loss if before is None else loss + temporal_loss(error, truth, *before))
        # Beyond this the graph is cut, also for the loss on the change.
        cut = (time + 1) % TRUNCATION == 0
        state = output.state_bchw.detach() if cut else output.state_bchw
        memories = [
            Memory(result, one) for result, one in zip(results(views, output), state, strict=True)
        ]
        before = (error.detach() if cut else error), truth
        errors.append(float(mean_where(error.detach().abs(), truth.known_bhw)))
        start = torch.cat([view.hypotheses[:, 0] for view in views]) - truth.log_inverse_bhw
        start_errors.append(float(mean_where(start.abs(), truth.known_bhw)))
    count = len(errors)
    numbers = {"error": sum(errors) / count, "consensus_error": sum(start_errors) / count}
    return torch.stack(losses).mean(), numbers
