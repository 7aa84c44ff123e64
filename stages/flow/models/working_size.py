"""Large images are worked on at a smaller size, so that memory has a bound."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

# The all-pairs volumes of RAFT take about 1.1 GB at 16:9.
LARGEST_SIDE_PX = 1280


def at_working_size(
    rgb_hw3: NDArray[np.uint8], largest_side_px: int = LARGEST_SIDE_PX
) -> NDArray[np.uint8]:
    """The image itself, or shrunk so that no side is larger."""
    height, width = rgb_hw3.shape[:2]
    scale = largest_side_px / max(height, width)
    if scale >= 1.0:
        return rgb_hw3
    size = max(round(width * scale), 1), max(round(height * scale), 1)
    return np.asarray(cv2.resize(rgb_hw3, size, interpolation=cv2.INTER_AREA), np.uint8)


def padding(
    size_hw: Sequence[int], stride: int, smallest_side_px: int
) -> tuple[int, int, int, int]:
    """Left, right, top, bottom: to multiples of a stride, and at least to the smallest side."""
    tall, wide = (max(-(-side // stride) * stride, smallest_side_px) for side in size_hw)
    left, top = (wide - size_hw[1]) // 2, (tall - size_hw[0]) // 2
    return left, wide - size_hw[1] - left, top, tall - size_hw[0] - top


def flow_at_size(flow_b2hw: Tensor, height: int, width: int) -> Tensor:
    """Flow of shrunk images at the images' own size, in its pixels."""
    working_height, working_width = flow_b2hw.shape[-2:]
    if (working_height, working_width) == (height, width):
        return flow_b2hw
    resized = F.interpolate(flow_b2hw, (height, width), mode="bilinear", align_corners=False)
    scale = resized.new_tensor([width / working_width, height / working_height])
    return resized * scale[:, None, None]
