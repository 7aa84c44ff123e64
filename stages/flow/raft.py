"""RAFT-small: optical flow by recurrent lookups in an all-pairs correlation volume.

After Teed and Deng, "RAFT: Recurrent All-Pairs Field Transforms for Optical Flow", ECCV 2020.
Names of the parameters are those of the published checkpoints.
"""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from mvrecon.errors import UsageError
from stages.flow.memo import ImageMemo
from stages.flow.model import FlowEstimate
from stages.flow.raft_correlation import PYRAMID_LEVELS, CorrelationPyramid
from stages.flow.raft_encoder import SmallEncoder
from stages.flow.raft_update import CONTEXT_CHANNELS, HIDDEN_CHANNELS, SmallUpdateBlock

FEATURE_CHANNELS = 128
LOOKUP_RADIUS = 3
STRIDE = 8
# Four levels of a 1/8 map: smaller images would pool to nothing.
SMALLEST_SIDE_PX = STRIDE * 2 ** (PYRAMID_LEVELS - 1)
WEIGHTS_REMEDY = "Give the public raft-small.pth, or a state dict with the same names and shapes"


class Encoding(NamedTuple):
    """What the network keeps of one image, at 1/8 of the padded size.

    Attributes:
        features_chw: for the correlation.
        hidden_1chw, context_1chw: start of the recurrent unit when the image is the first.
    """

    features_chw: Tensor
    hidden_1chw: Tensor
    context_1chw: Tensor


class RaftSmall(nn.Module):
    """The network; 990,162 parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.fnet = SmallEncoder(FEATURE_CHANNELS, normalize=True)
        self.cnet = SmallEncoder(HIDDEN_CHANNELS + CONTEXT_CHANNELS, normalize=False)
        self.update_block = SmallUpdateBlock(PYRAMID_LEVELS * (2 * LOOKUP_RADIUS + 1) ** 2)

    def encode(self, image_13hw: Tensor) -> Encoding:
        """Encode one image, scaled to −1…1, sides divisible by 8."""
        hidden, context = self.cnet(image_13hw).split([HIDDEN_CHANNELS, CONTEXT_CHANNELS], dim=1)
        return Encoding(self.fnet(image_13hw)[0], hidden.tanh(), context.relu())

    def forward(self, first: Encoding, second: Encoding, updates: int) -> Tensor:
        """Flow first → second, (1, 2, h / 8, w / 8), in pixels of the 1/8 image."""
        pyramid = CorrelationPyramid(first.features_chw, second.features_chw)
        hidden = first.hidden_1chw
        context = self.update_block.gru.prepare(first.context_1chw)
        height, width = hidden.shape[2:]
        y_hw, x_hw = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
        start_n2 = torch.stack([x_hw, y_hw], dim=-1).view(-1, 2).float()
        flow_n2 = torch.zeros_like(start_n2)
        for _ in range(updates):
            windows_nc = pyramid.lookup(start_n2 + flow_n2, LOOKUP_RADIUS)
            hidden, step = self.update_block(
                hidden, context, _as_map(windows_nc, height), _as_map(flow_n2, height)
            )
            flow_n2 = flow_n2 + step[0].flatten(1).T
        return _as_map(flow_n2, height)


class RaftFlow:
    """RAFT-small as a flow model.

    Args:
        network: with its weights.
        updates: recurrent updates.
    """

    def __init__(self, network: RaftSmall, updates: int) -> None:
        self.network = network.eval()
        self.updates = updates
        self._encodings = ImageMemo(self._encode)

    def estimate(
        self, first_rgb_hw3: NDArray[np.uint8], second_rgb_hw3: NDArray[np.uint8]
    ) -> FlowEstimate:
        """Flow both ways; each image is encoded once, also across calls."""
        with torch.inference_mode():
            first, second = self._encodings(first_rgb_hw3), self._encodings(second_rgb_hw3)
            height, width = first_rgb_hw3.shape[:2]
            flows = [
                _full_size(self.network(a, b, self.updates), height, width)
                for a, b in ((first, second), (second, first))
            ]
        return FlowEstimate(*flows)

    def _encode(self, rgb_hw3: NDArray[np.uint8]) -> Encoding:
        image_13hw = torch.from_numpy(rgb_hw3).permute(2, 0, 1)[None].float() / 127.5 - 1.0
        padded = F.pad(image_13hw, _padding(*rgb_hw3.shape[:2]), mode="replicate")
        # Channels-last images make all convolutions of the network channels-last.
        return self.network.encode(padded.contiguous(memory_format=torch.channels_last))


def load_raft_small(path: Path) -> RaftSmall:
    """The network with the weights of a checkpoint.

    Raises:
        UsageError: the file is no state dict, or its names or shapes differ.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise UsageError(f"cannot read flow weights {path}", WEIGHTS_REMEDY) from error
    network = RaftSmall()
    network.load_state_dict(matching_state(network, state, path))
    return network


def matching_state(network: nn.Module, state: object, path: Path) -> dict[str, Tensor]:
    """The state dict without the prefix that nn.DataParallel adds.

    Raises:
        UsageError: the first name or shape that does not match the network's.
    """
    if not isinstance(state, dict) or not all(isinstance(key, str) for key in state):
        raise UsageError(f"flow weights {path} hold no state dict", WEIGHTS_REMEDY)
    found = {key.removeprefix("module."): value for key, value in state.items()}
    expected = network.state_dict()
    for key in [*expected, *found]:
        wanted, got = (_shape(entries.get(key)) for entries in (expected, found))
        if wanted != got:
            what = f"flow weights {path} do not fit: {key} is {got}, the network has {wanted}"
            raise UsageError(what, WEIGHTS_REMEDY)
    return found


def _shape(value: object) -> str:
    if value is None:
        return "missing"
    return str(tuple(value.shape)) if isinstance(value, Tensor) else type(value).__name__


def _as_map(values_nc: Tensor, height: int) -> Tensor:
    """(1, c, h, w) in channels-last memory, without a copy."""
    return values_nc.view(1, height, -1, values_nc.shape[1]).permute(0, 3, 1, 2)


def _padding(height: int, width: int) -> tuple[int, int, int, int]:
    """Left, right, top, bottom: to the next multiple of 8, at least the smallest side."""
    pads: list[int] = []
    for size in (width, height):
        padded = max(-(-size // STRIDE) * STRIDE, SMALLEST_SIDE_PX)
        pads += [(padded - size) // 2, padded - size - (padded - size) // 2]
    return pads[0], pads[1], pads[2], pads[3]


def _full_size(flow_12hw: Tensor, height: int, width: int) -> NDArray[np.float32]:
    scaled = STRIDE * F.interpolate(
        flow_12hw, scale_factor=STRIDE, mode="bilinear", align_corners=True
    )
    left, _, top, _ = _padding(height, width)
    cropped_hw2 = scaled[0, :, top : top + height, left : left + width].permute(1, 2, 0)
    return np.ascontiguousarray(cropped_hw2.numpy())
