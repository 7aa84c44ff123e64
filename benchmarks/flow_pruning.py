"""Structured pruning of encoders, with a short training on what the whole ones say."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stages.flow.models.mvflow.network import Mvflow
from stages.flow.models.raft.encoder import Encoder, InstanceNorm
from stages.flow.models.raft.network import Raft

KEPT_SHARE = 0.75
# Bottlenecks have a quarter of the channels; processors like multiples of 8.
MULTIPLE = 8
STEPS = 200
BATCH = 2
CROP_PX = 160
LEARNING_RATE = 1e-3


def pruned_raft(network: Raft, images_b3hw: Tensor) -> Raft:
    """A network with fewer channels in both encoders; the update is shared with the original.

    The channels of each level with the largest weights stay; then the encoders learn to give
    what the whole ones give on crops of these images (in 0…1).
    """
    widths = _fewer(network.settings.widths)
    small = Raft(replace(network.settings, widths=widths)).eval()  # type: ignore[arg-type]
    small.update_block.load_state_dict(network.update_block.state_dict())
    for whole, encoder in ((network.fnet, small.fnet), (network.cnet, small.cnet)):
        _copy_strongest(whole, encoder)

        def wanted(crops_b3hw: Tensor, whole: Encoder = whole) -> list[Tensor]:
            return [whole(2.0 * crops_b3hw - 1.0)]

        def given(crops_b3hw: Tensor, encoder: Encoder = encoder) -> list[Tensor]:
            return [_forward(encoder, 2.0 * crops_b3hw - 1.0)]

        _teach(encoder, given, wanted, images_b3hw)
    return small


def pruned_mvflow(network: Mvflow, images_b3hw: Tensor) -> Mvflow:
    """The same of mvflow: fewer channels in the encoder, the rest as it is."""
    widths = _fewer(network.settings.widths)
    small = Mvflow(replace(network.settings, widths=widths)).eval()
    others = {
        name: value
        for name, value in network.state_dict().items()
        if not name.startswith("encoder.")
    }
    small.load_state_dict(others, strict=False)
    _copy_strongest(network.encoder, small.encoder)

    def features(of: Mvflow) -> Callable[[Tensor], list[Tensor]]:
        def encode(crops_b3hw: Tensor) -> list[Tensor]:
            encoded = of.encode(crops_b3hw)
            return [*encoded.features, *encoded.context]

        return encode

    _teach(small.encoder, features(small), features(network), images_b3hw)
    return small


def _fewer(widths: Sequence[int]) -> tuple[int, ...]:
    return tuple(round(KEPT_SHARE * width / MULTIPLE) * MULTIPLE for width in widths)


def _copy_strongest(whole: nn.Module, small: nn.Module) -> None:
    """Start from the weights of the channels whose filters have the largest sum."""
    kept: dict[int, Tensor] = {}
    target = small.state_dict()
    for name, value in whole.state_dict().items():
        chosen = value
        for axis, size in enumerate(target[name].shape):
            whole_size = value.shape[axis]
            if size != whole_size and axis < 2:
                # Channels of one width run through a whole level, so one choice serves it.
                if whole_size not in kept:
                    strength = value.abs().transpose(0, axis).flatten(1).sum(1)
                    kept[whole_size] = strength.topk(size).indices.sort().values
                chosen = chosen.index_select(axis, kept[whole_size])
        target[name] = chosen
    small.load_state_dict(target)


def _teach(
    encoder: nn.Module,
    given: Callable[[Tensor], list[Tensor]],
    wanted: Callable[[Tensor], list[Tensor]],
    images_b3hw: Tensor,
) -> None:
    """Least squares on what the whole encoder gives, each channel weighted by its spread."""
    generator = torch.Generator().manual_seed(1)
    optimizer = torch.optim.Adam(encoder.parameters(), lr=LEARNING_RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
    encoder.train()
    for _ in range(STEPS):
        crops_b3hw = _crops(images_b3hw, generator)
        with torch.no_grad():
            targets = wanted(crops_b3hw)
        loss = torch.stack(
            [
                ((ours - whole) / (whole.std((0, 2, 3), keepdim=True) + 1e-3)).square().mean()
                for ours, whole in zip(given(crops_b3hw), targets, strict=True)
            ]
        ).mean()
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
        schedule.step()
    encoder.eval()


def _forward(encoder: Encoder, images_b3hw: Tensor) -> Tensor:
    """The encoder (of bottlenecks) without its in-place operations, which forbid derivatives."""
    x_bchw = F.relu(_normed(encoder.norm1, encoder.conv1(images_b3hw)))
    for block in [*encoder.layer1, *encoder.layer2, *encoder.layer3]:
        y_bchw = F.relu(_normed(block.norm1, block.conv1(x_bchw)))
        y_bchw = F.relu(_normed(block.norm2, block.conv2(y_bchw)))
        y_bchw = F.relu(_normed(block.norm3, block.conv3(y_bchw)))
        if block.downsample is not None:
            projection, norm = block.downsample
            x_bchw = _normed(norm, projection(x_bchw))
        x_bchw = F.relu(x_bchw + y_bchw)
    features_bchw: Tensor = encoder.conv2(x_bchw)
    return features_bchw


def _normed(norm: nn.Module, x_bchw: Tensor) -> Tensor:
    return F.instance_norm(x_bchw) if isinstance(norm, InstanceNorm) else x_bchw


def _crops(images_b3hw: Tensor, generator: torch.Generator) -> Tensor:
    height, width = images_b3hw.shape[2:]

    def crop() -> Tensor:
        one = int(torch.randint(len(images_b3hw), (), generator=generator))
        y = int(torch.randint(height - CROP_PX, (), generator=generator))
        x = int(torch.randint(width - CROP_PX, (), generator=generator))
        return images_b3hw[one, :, y : y + CROP_PX, x : x + CROP_PX]

    crops = torch.stack([crop() for _ in range(BATCH)])
    return crops.contiguous(memory_format=torch.channels_last)
