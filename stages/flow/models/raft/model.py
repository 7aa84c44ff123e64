"""RAFT as a flow model: sizes, memory of images and precision around the network; checkpoints."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from mvrecon.errors import UsageError
from mvrecon.learning.memo import ImageMemo
from mvrecon.learning.precision import UsedPrecision, autocast
from mvrecon.learning.weights import load_tensors
from stages.flow.models.base import FlowEstimate
from stages.flow.models.graph import FlowGraph
from stages.flow.models.raft.correlation import PYRAMID_LEVELS
from stages.flow.models.raft.network import STRIDE, Encoding, Raft, RaftSettings
from stages.flow.models.working_size import LARGEST_SIDE_PX, at_working_size, flow_at_size, padding

# Four levels of a 1/8 map: smaller images would pool to nothing.
SMALLEST_SIDE_PX = STRIDE * 2 ** (PYRAMID_LEVELS - 1)
WEIGHTS_REMEDY = (
    "Give a checkpoint of this model in the authors' or in torchvision's layout, "
    "or a state dict with the same names and shapes"
)
# The authors' name → torchvision's, rule after rule.
_TORCHVISION_RULES = (
    (r"^fnet\.", "feature_encoder."),
    (r"^cnet\.", "context_encoder."),
    (r"^(\w+_encoder)\.conv1\.", r"\1.convnormrelu.0."),
    (r"^(\w+_encoder)\.norm1\.", r"\1.convnormrelu.1."),
    (r"^(\w+_encoder)\.conv2\.", r"\1.conv."),
    # The normalization of a block's skip has two names in the authors' checkpoints.
    (r"^(\w+_encoder\.layer[23]\.0)\.norm3\.", r"\1.downsample.1."),
    (r"^(\w+_encoder\.layer\d\.\d)\.conv(\d)\.", r"\1.convnormrelu\2.0."),
    (r"^(\w+_encoder\.layer\d\.\d)\.norm(\d)\.", r"\1.convnormrelu\2.1."),
    (r"^update_block\.encoder\.convc(\d)\.", r"update_block.motion_encoder.convcorr\1.0."),
    (r"^update_block\.encoder\.convf(\d)\.", r"update_block.motion_encoder.convflow\1.0."),
    (r"^update_block\.encoder\.conv\.", "update_block.motion_encoder.conv.0."),
    (r"^update_block\.gru\.conv([zrq])\.", r"update_block.recurrent_block.convgru1.conv\1."),
    (
        r"^update_block\.gru\.conv([zrq])(\d)\.",
        r"update_block.recurrent_block.convgru\2.conv\1.",
    ),
    (r"^update_block\.mask\.0\.", "mask_predictor.convrelu.0."),
    (r"^update_block\.mask\.2\.", "mask_predictor.conv."),
)


class RaftFlow:
    """RAFT as a flow model.

    Args:
        network: with its weights.
        updates: recurrent updates.
        precision: of the convolutions and of the correlation.
        largest_side_px: images beyond this are worked on at a smaller size.
    """

    def __init__(
        self,
        network: Raft,
        updates: int,
        precision: UsedPrecision = "fp32",
        largest_side_px: int = LARGEST_SIDE_PX,
    ) -> None:
        self.network = network.eval()
        self.largest_side_px = largest_side_px
        self.updates = updates
        self.precision = precision
        self._encodings = ImageMemo(self._encode)

    def estimate(
        self, first_rgb_hw3: NDArray[np.uint8], second_rgb_hw3: NDArray[np.uint8]
    ) -> FlowEstimate:
        """Flow both ways; each image is encoded once, also across calls."""
        with torch.inference_mode(), autocast(self.precision):
            first, second = self._encodings(first_rgb_hw3), self._encodings(second_rgb_hw3)
            flows = [
                self._at_full_size(self.network(a, b, self.updates), first_rgb_hw3)
                for a, b in ((first, second), (second, first))
            ]
        return FlowEstimate(*flows)

    def _encode(self, rgb_hw3: NDArray[np.uint8]) -> Encoding:
        image_hw3 = torch.from_numpy(at_working_size(rgb_hw3, self.largest_side_px))
        image_13hw = image_hw3.permute(2, 0, 1)[None].float() / 127.5 - 1.0
        padded = F.pad(
            image_13hw, padding(image_13hw.shape[2:], STRIDE, SMALLEST_SIDE_PX), mode="replicate"
        )
        # Channels-last images make all convolutions of the network channels-last.
        return self.network.encode(padded.contiguous(memory_format=torch.channels_last))

    def _at_full_size(
        self, flow_12hw: torch.Tensor, rgb_hw3: NDArray[np.uint8]
    ) -> NDArray[np.float32]:
        """Without the padding, at the image's size."""
        height, width = at_working_size(rgb_hw3, self.largest_side_px).shape[:2]
        left, _, top, _ = padding((height, width), STRIDE, SMALLEST_SIDE_PX)
        cropped_12hw = flow_12hw[:, :, top : top + height, left : left + width].float()
        full_12hw = flow_at_size(cropped_12hw, *rgb_hw3.shape[:2])
        return np.ascontiguousarray(full_12hw[0].permute(1, 2, 0).numpy())


class RaftGraph(FlowGraph):
    """RAFT from images in 0…1."""

    input_names = ("first_b3hw", "second_b3hw")
    stride = STRIDE

    def __init__(self, network: Raft, updates: int) -> None:
        super().__init__()
        self.network = network.eval()
        self.updates = updates

    def forward(self, first_b3hw: Tensor, second_b3hw: Tensor) -> Tensor:
        """Flow first → second, (1, 2, h, w), pixels."""
        first, second = (
            self.network.encode(2.0 * image - 1.0) for image in (first_b3hw, second_b3hw)
        )
        flow_b2hw: Tensor = self.network(first, second, self.updates)
        return flow_b2hw


def torchvision_name(name: str) -> str:
    """The name that a parameter of our network has in torchvision's checkpoints."""
    for pattern, replacement in _TORCHVISION_RULES:
        name = re.sub(pattern, replacement, name)
    return name


def load_raft(path: Path, settings: RaftSettings) -> Raft:
    """The network with the weights of a checkpoint.

    Raises:
        UsageError: the file is no state dict, or its names or shapes differ.
    """
    try:
        state = load_tensors(path)
    except Exception as error:  # whatever a file of another kind makes of it
        raise UsageError(f"cannot read flow weights {path}", WEIGHTS_REMEDY) from error
    network = Raft(settings)
    network.load_state_dict(matching_state(network, state, path))
    return network.eval()


def matching_state(network: Raft, state: object, path: Path) -> dict[str, Tensor]:
    """The state dict under our names, without the prefix that nn.DataParallel adds.

    Raises:
        UsageError: the first name or shape that does not match the network's, in the names of
            the file's own layout.
    """
    if not isinstance(state, dict) or not all(isinstance(key, str) for key in state):
        raise UsageError(f"flow weights {path} hold no state dict", WEIGHTS_REMEDY)
    found = {key.removeprefix("module."): value for key, value in state.items()}
    is_torchvision = any(key.startswith("feature_encoder.") for key in found)
    name_in_file: Callable[[str], str] = torchvision_name if is_torchvision else str
    expected = {name_in_file(key): value for key, value in network.state_dict().items()}
    for key in [*expected, *found]:
        wanted, got = (_shape(entries.get(key)) for entries in (expected, found))
        if wanted != got:
            what = f"flow weights {path} do not fit: {key} is {got}, the network has {wanted}"
            raise UsageError(what, WEIGHTS_REMEDY)
    return {key: found[name_in_file(key)] for key in network.state_dict()}


def _shape(value: object) -> str:
    if value is None:
        return "missing"
    return str(tuple(value.shape)) if isinstance(value, Tensor) else type(value).__name__
