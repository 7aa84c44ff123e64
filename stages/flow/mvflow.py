"""mvflow as a flow model: weights, sizes and confidence around the network."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from mvrecon.learning.precision import UsedPrecision, autocast
from mvrecon.learning.weights import export_weights, load_weights
from stages.flow.config import MVFLOW_WEIGHTS
from stages.flow.dis import DisFlow
from stages.flow.memo import ImageMemo
from stages.flow.model import FlowEstimate
from stages.flow.mvflow_confidence import Calibration, confidence
from stages.flow.mvflow_encoder import Encoded
from stages.flow.mvflow_network import Mvflow, MvflowSettings
from stages.flow.working_size import LARGEST_SIDE_PX, at_working_size

STRIDE = 32
SMALLEST_SIDE_PX = 64

Image = NDArray[np.uint8]


class MvflowFlow:
    """mvflow as a flow model.

    Args:
        network: with its weights.
        calibration: of the confidence.
        largest_side_px: images beyond this are worked on at a smaller size.
        precision: of the convolutions; flow itself and look-ups stay in 32 bits.
    """

    def __init__(
        self,
        network: Mvflow,
        calibration: Calibration | None = None,
        largest_side_px: int = LARGEST_SIDE_PX,
        precision: UsedPrecision = "fp32",
    ) -> None:
        self.network = network.eval()
        self.calibration = calibration or Calibration()
        self.largest_side_px = largest_side_px
        self.precision = precision
        self._start = DisFlow("medium")
        self._encodings = ImageMemo(self._encode)

    def estimate(self, first_rgb_hw3: Image, second_rgb_hw3: Image) -> FlowEstimate:
        """Flow both ways with its confidence; each image is encoded once, also across calls."""
        height, width = first_rgb_hw3.shape[:2]
        images = first_rgb_hw3, second_rgb_hw3
        start = self._start.estimate(*(at_working_size(i, self.largest_side_px) for i in images))
        working_hw = start.forward_hw2.shape[:2]
        start_b2hw = torch.from_numpy(np.stack([start.forward_hw2, start.backward_hw2]))
        start_b2hw = F.pad(start_b2hw.permute(0, 3, 1, 2), _padding(*working_hw), mode="replicate")
        with torch.inference_mode(), autocast(self.precision):
            encoded = [self._encodings(first_rgb_hw3), self._encodings(second_rgb_hw3)]
            output = self.network.flow(
                _joined(encoded), _joined(encoded[::-1]).features, start_b2hw, paired=True
            )
            confidence_bhw = confidence(output, output.flow_b2hw.flip(0), self.calibration)
            both = torch.cat([output.flow_b2hw, confidence_bhw[:, None]], 1)
            left, _, top, _ = _padding(*working_hw)
            both = both[:, :, top : top + working_hw[0], left : left + working_hw[1]]
            if working_hw != (height, width):
                both = F.interpolate(both, (height, width), mode="bilinear", align_corners=False)
                scale = torch.tensor([width / working_hw[1], height / working_hw[0], 1.0])
                both = both * scale[:, None, None]
        forward, backward = both.permute(0, 2, 3, 1).numpy()
        return FlowEstimate(
            np.ascontiguousarray(forward[..., :2]),
            np.ascontiguousarray(backward[..., :2]),
            np.ascontiguousarray(forward[..., 2]),
            np.ascontiguousarray(backward[..., 2]),
        )

    def _encode(self, rgb_hw3: Image) -> Encoded:
        image_hw3 = torch.from_numpy(at_working_size(rgb_hw3, self.largest_side_px))
        image_b3hw = image_hw3.permute(2, 0, 1)[None] / 255.0
        padding = _padding(*image_b3hw.shape[-2:])
        return self.network.encode(F.pad(image_b3hw, padding, mode="replicate"))


def load_mvflow(path: Path | None = None) -> tuple[Mvflow, Calibration]:
    """The network and its calibration: the shipped ones, or those of an exported file.

    Raises:
        UsageError: the file is missing or holds something else.
    """

    def build(sizes: Mapping[str, Any]) -> Mvflow:
        return Mvflow(MvflowSettings(**sizes))

    network, stored = load_weights(path or MVFLOW_WEIGHTS, build, "flow")
    return network, Calibration(*stored.get("calibration", ()))


def export_mvflow(network: Mvflow, calibration: Calibration, path: Path) -> None:
    """Write what `load_mvflow` reads."""
    export_weights(network, network.settings, path, calibration=list(calibration))


def _joined(images: list[Encoded]) -> Encoded:
    return Encoded(
        tuple(torch.cat(parts) for parts in zip(*(i.features for i in images), strict=True)),
        tuple(torch.cat(parts) for parts in zip(*(i.context for i in images), strict=True)),
    )


def _padding(height: int, width: int) -> tuple[int, int, int, int]:
    """Left, right, top, bottom, to multiples of 32 that are not too small."""
    tall = max(-(-height // STRIDE) * STRIDE, SMALLEST_SIDE_PX)
    wide = max(-(-width // STRIDE) * STRIDE, SMALLEST_SIDE_PX)
    left, top = (wide - width) // 2, (tall - height) // 2
    return left, wide - width - left, top, tall - height - top
