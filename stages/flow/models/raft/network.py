"""RAFT's networks: flow by recurrent lookups in an all-pairs correlation volume.

After Teed and Deng, "RAFT: Recurrent All-Pairs Field Transforms for Optical Flow", ECCV 2020.
Names of the parameters are those of the authors' checkpoints.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stages.flow.models.raft.correlation import PYRAMID_LEVELS, CorrelationPyramid
from stages.flow.models.raft.encoder import (
    BlockMaker,
    Bottleneck,
    Encoder,
    InstanceNorm,
    NoNorm,
    NormMaker,
    ResidualBlock,
)
from stages.flow.models.raft.update import UpdateBlock, UpdateSizes

STRIDE = 8
# Weights of 3×3 neighbours for each pixel of the full image.
MASK_CHANNELS = 9 * STRIDE**2
# The authors scale the upsampling weights so, to balance gradients.
MASK_SCALE = 0.25


@dataclass(frozen=True)
class RaftSettings:
    """A variant of the network.

    Attributes:
        block: of the encoders.
        context_norm: normalization in the context encoder; the other has instance norms.
        widths: channels of the encoders at 1/2, 1/4 and 1/8.
        features: channels that are correlated.
        radius: of the lookup window, in pixels of each pyramid level.
        update: sizes of the update.
        convex: whether the flow is upsampled with learned weights, else bilinearly.
    """

    block: BlockMaker
    context_norm: NormMaker
    widths: tuple[int, int, int]
    features: int
    radius: int
    update: UpdateSizes
    convex: bool


RAFT_SMALL = RaftSettings(
    block=Bottleneck,
    context_norm=NoNorm,
    widths=(32, 64, 96),
    features=128,
    radius=3,
    update=UpdateSizes(
        hidden=96,
        context=64,
        correlation=(96,),
        flow=(64, 32),
        motion=82,
        head=128,
        gru_kernels={"": (3, 3)},
    ),
    convex=False,
)
RAFT_LARGE = RaftSettings(
    block=ResidualBlock,
    context_norm=nn.BatchNorm2d,
    widths=(64, 96, 128),
    features=256,
    radius=4,
    update=UpdateSizes(
        hidden=128,
        context=128,
        correlation=(256, 192),
        flow=(128, 64),
        motion=128,
        head=256,
        gru_kernels={"1": (1, 5), "2": (5, 1)},
    ),
    convex=True,
)


class Encoding(NamedTuple):
    """What the network keeps of one image, at 1/8 of the padded size.

    Attributes:
        features_chw: for the correlation.
        hidden_1chw, context_1chw: start of the recurrent unit when the image is the first.
    """

    features_chw: Tensor
    hidden_1chw: Tensor
    context_1chw: Tensor


class Raft(nn.Module):
    """The network: 990,162 parameters with RAFT_SMALL, 5,257,536 with RAFT_LARGE."""

    def __init__(self, settings: RaftSettings) -> None:
        super().__init__()
        self.settings = settings
        update = settings.update
        self.fnet = Encoder(settings.block, settings.widths, settings.features, InstanceNorm)
        self.cnet = Encoder(
            settings.block, settings.widths, update.hidden + update.context, settings.context_norm
        )
        self.update_block = UpdateBlock(
            PYRAMID_LEVELS * (2 * settings.radius + 1) ** 2,
            update,
            MASK_CHANNELS if settings.convex else 0,
        )

    def encode(self, image_13hw: Tensor) -> Encoding:
        """Encode one image, scaled to −1…1, sides divisible by 8."""
        update = self.settings.update
        hidden, context = self.cnet(image_13hw).split([update.hidden, update.context], dim=1)
        return Encoding(self.fnet(image_13hw)[0], hidden.tanh(), context.relu())

    def forward(self, first: Encoding, second: Encoding, updates: int) -> Tensor:
        """Flow first → second, (1, 2, h, w) at the full padded size, in pixels."""
        pyramid = CorrelationPyramid(first.features_chw, second.features_chw)
        hidden = first.hidden_1chw
        passes = self.update_block.gru.prepare(first.context_1chw)
        height, width = hidden.shape[2:]
        y_hw, x_hw = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
        start_n2 = torch.stack([x_hw, y_hw], dim=-1).view(-1, 2).float()
        flow_n2 = torch.zeros_like(start_n2)
        for _ in range(updates):
            windows_nc = pyramid.lookup(start_n2 + flow_n2, self.settings.radius)
            hidden, step = self.update_block(
                hidden, passes, _as_map(windows_nc, height), _as_map(flow_n2, height)
            )
            flow_n2 = flow_n2 + step[0].flatten(1).T
        flow_12hw = _as_map(flow_n2, height)
        if self.settings.convex:
            return upsample_convex(flow_12hw, MASK_SCALE * self.update_block.mask(hidden).float())
        return STRIDE * F.interpolate(
            flow_12hw, scale_factor=STRIDE, mode="bilinear", align_corners=True
        )


def upsample_convex(flow_b2hw: Tensor, logits_bchw: Tensor) -> Tensor:
    """Each pixel of the full image is a convex mixture of 3×3 neighbours at 1/8.

    Args:
        flow_b2hw: in pixels of the 1/8 image.
        logits_bchw: (b, 9·64, h, w), neighbours first, then rows and columns of the 8×8 pixels.

    Returns:
        (b, 2, 8h, 8w), in pixels of the full image.
    """
    batch, _, height, width = flow_b2hw.shape
    weights = logits_bchw.view(batch, 1, 9, STRIDE, STRIDE, height, width).softmax(dim=2)
    near = F.unfold(STRIDE * flow_b2hw, 3, padding=1).view(batch, 2, 9, 1, 1, height, width)
    mixed = (weights * near).sum(dim=2)
    return mixed.permute(0, 1, 4, 2, 5, 3).reshape(batch, 2, STRIDE * height, STRIDE * width)


def _as_map(values_nc: Tensor, height: int) -> Tensor:
    """(1, c, h, w) in channels-last memory, without a copy."""
    return values_nc.view(1, height, -1, values_nc.shape[1]).permute(0, 3, 1, 2)
