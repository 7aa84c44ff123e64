"""mvflow as a flow model: weights, sizes and confidence around the network; its graph."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from mvrecon.errors import UsageError
from mvrecon.learning.memo import ImageMemo
from mvrecon.learning.precision import UsedPrecision, autocast
from mvrecon.learning.weights import export_weights, load_weights
from stages.flow.models.base import FlowEstimate
from stages.flow.models.dis import START_PRESET, START_REFINEMENTS, DisFlow
from stages.flow.models.graph import FlowGraph
from stages.flow.models.mvflow.confidence import Calibration, confidence
from stages.flow.models.mvflow.encoder import Encoded
from stages.flow.models.mvflow.network import STRIDE, Mvflow, MvflowSettings
from stages.flow.models.working_size import LARGEST_SIDE_PX, at_working_size, flow_at_size, padding

# Smaller images are padded: features are freed from what all cells share, so some must be there.
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
        self._start = DisFlow(START_PRESET, START_REFINEMENTS)
        self._encodings = ImageMemo(self._encode)

    def estimate(self, first_rgb_hw3: Image, second_rgb_hw3: Image) -> FlowEstimate:
        """Flow both ways with its confidence; each image is encoded once, also across calls."""
        height, width = first_rgb_hw3.shape[:2]
        images = first_rgb_hw3, second_rgb_hw3
        start = self._start.estimate(*(at_working_size(i, self.largest_side_px) for i in images))
        working_hw = start.forward_hw2.shape[:2]
        starts = [torch.from_numpy(flow).permute(2, 0, 1) for flow in start[:2]]
        with torch.inference_mode(), autocast(self.precision):
            encoded = [self._encodings(first_rgb_hw3), self._encodings(second_rgb_hw3)]
            start_b2hw = _padded(torch.stack(starts))
            output = self.network.flow(*_both_ways(*encoded), start_b2hw, paired=True)
            confidence_bhw = confidence(output, output.flow_b2hw.flip(0), self.calibration)
            left, _, top, _ = padding(working_hw, STRIDE, SMALLEST_SIDE_PX)
            inside = np.s_[..., top : top + working_hw[0], left : left + working_hw[1]]
            flow_b2hw, confidence_b1hw = output.flow_b2hw[inside], confidence_bhw[:, None][inside]
            if working_hw != (height, width):
                flow_b2hw = flow_at_size(flow_b2hw, height, width)
                confidence_b1hw = F.interpolate(confidence_b1hw, (height, width), mode="bilinear")
            flow_bhw2 = flow_b2hw.permute(0, 2, 3, 1).contiguous()
        return FlowEstimate(*flow_bhw2.numpy(), *confidence_b1hw.contiguous().numpy()[:, 0])

    def _encode(self, rgb_hw3: Image) -> Encoded:
        image_hw3 = torch.from_numpy(at_working_size(rgb_hw3, self.largest_side_px))
        image_b3hw = image_hw3.permute(2, 0, 1)[None].contiguous() / 255.0
        return self.network.encode(_padded(image_b3hw))


def load_mvflow(path: Path) -> tuple[Mvflow, Calibration]:
    """The network and its calibration from a file that `export_mvflow` wrote, as the shipped one.

    Raises:
        UsageError: the file is missing or holds something else.
    """

    def build(sizes: Mapping[str, Any]) -> Mvflow:
        return Mvflow(MvflowSettings(**sizes))

    network, stored = load_weights(path, build, "flow")
    numbers = stored.get("calibration", ())
    try:
        return network, Calibration(*(float(number) for number in numbers))
    except (TypeError, ValueError) as error:
        raise UsageError(
            f"flow weights {path} hold no calibration that can be understood",
            "Give a file that `mvrecon train flow` wrote, or none for the shipped weights",
        ) from error


def export_mvflow(network: Mvflow, calibration: Calibration, path: Path) -> None:
    """Write what `load_mvflow` reads."""
    export_weights(network, network.settings, path, calibration=list(calibration))


def _both_ways(first: Encoded, second: Encoded) -> tuple[Encoded, tuple[Tensor, ...]]:
    """Both images in one batch, and the features of the other image for each."""

    def joined(one: tuple[Tensor, ...], other: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return tuple(torch.cat(parts) for parts in zip(one, other, strict=True))

    both = Encoded(joined(first.features, second.features), joined(first.context, second.context))
    return both, joined(second.features, first.features)


def _padded(image_bchw: Tensor) -> Tensor:
    """To a size that the network takes."""
    added = padding(image_bchw.shape[-2:], STRIDE, SMALLEST_SIDE_PX)
    return F.pad(image_bchw, added, mode="replicate") if any(added) else image_bchw


class MvflowGraph(FlowGraph):
    """mvflow from images in 0…1 and the flow to start from (of dis) in pixels."""

    input_names = ("first_b3hw", "second_b3hw", "start_b2hw")
    stride = STRIDE

    def __init__(self, network: Mvflow) -> None:
        super().__init__()
        self.network = network.eval()

    def forward(self, first_b3hw: Tensor, second_b3hw: Tensor, start_b2hw: Tensor) -> Tensor:
        """Flow first → second, (1, 2, h, w), pixels."""
        flow_b2hw: Tensor = self.network(first_b3hw, second_b3hw, start_b2hw).flow_b2hw
        return flow_b2hw
