"""RAFT as a flow model: sizes, memory of images and precision around the network."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from mvrecon.learning.memo import ImageMemo
from mvrecon.learning.precision import UsedPrecision, autocast
from stages.flow.models.base import FlowEstimate
from stages.flow.models.raft.correlation import PYRAMID_LEVELS
from stages.flow.models.raft.network import STRIDE, Encoding, Raft
from stages.flow.models.working_size import LARGEST_SIDE_PX, at_working_size, flow_at_size

# Four levels of a 1/8 map: smaller images would pool to nothing.
SMALLEST_SIDE_PX = STRIDE * 2 ** (PYRAMID_LEVELS - 1)


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
        padded = F.pad(image_13hw, _padding(*image_13hw.shape[2:]), mode="replicate")
        # Channels-last images make all convolutions of the network channels-last.
        return self.network.encode(padded.contiguous(memory_format=torch.channels_last))

    def _at_full_size(
        self, flow_12hw: torch.Tensor, rgb_hw3: NDArray[np.uint8]
    ) -> NDArray[np.float32]:
        """Without the padding, at the image's size."""
        height, width = at_working_size(rgb_hw3, self.largest_side_px).shape[:2]
        left, _, top, _ = _padding(height, width)
        cropped_12hw = flow_12hw[:, :, top : top + height, left : left + width].float()
        full_12hw = flow_at_size(cropped_12hw, *rgb_hw3.shape[:2])
        return np.ascontiguousarray(full_12hw[0].permute(1, 2, 0).numpy())


def _padding(height: int, width: int) -> tuple[int, int, int, int]:
    """Left, right, top, bottom: to the next multiple of 8, at least the smallest side."""
    pads: list[int] = []
    for size in (width, height):
        padded = max(-(-size // STRIDE) * STRIDE, SMALLEST_SIDE_PX)
        pads += [(padded - size) // 2, padded - size - (padded - size) // 2]
    return pads[0], pads[1], pads[2], pads[3]
