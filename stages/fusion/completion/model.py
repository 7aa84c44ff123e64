"""Depth where no view measured it: a guess, kept apart from what was measured.

A pixel counts as measured if its depth is trusted to some degree and nothing that moves hides
the scene there. The rest is completed by inpainting or by the learned prior
(`stages/fusion/completion/network.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from mvrecon.artifacts.depth import DepthMap, inverted
from mvrecon.geometry.transfer import FloatMap
from mvrecon.learning.weights import load_weights
from stages.fusion.completion.network import (
    LEAST_WEIGHT,
    QUARTER,
    STRIDE,
    CompletionInput,
    CompletionNetwork,
    CompletionSettings,
)
from stages.fusion.config import COMPLETION_WEIGHTS, CompletionOptions
from stages.fusion.inputs import RgbImage

# Confidence from which a pixel counts as measured: what the surface stage starts from.
MEASURED = 0.15
# Neighbourhood that the inpainting of a pixel looks at.
INPAINTING_RADIUS_PX = 3.0


@dataclass(frozen=True)
class Incomplete:
    """A view whose depth is to be completed.

    Attributes:
        rgb_hw3: uint8.
        depth_hw: depth along the optical axis; counts only where measured.
        measured_hw: bool.
        hidden_hw: bool, where the image does not show the scene that is to be completed.
    """

    rgb_hw3: RgbImage
    depth_hw: FloatMap
    measured_hw: NDArray[np.bool_]
    hidden_hw: NDArray[np.bool_]

    @classmethod
    def of(
        cls, rgb_hw3: RgbImage, depth: DepthMap, moving_hw: NDArray[np.bool_] | None
    ) -> Incomplete:
        """A fused view; what moves hides the scene behind it."""
        if moving_hw is None:
            moving_hw = np.zeros(depth.depth_hw.shape, bool)
        measured_hw = (depth.depth_hw > 0) & (depth.confidence_hw >= MEASURED) & ~moving_hw
        return cls(rgb_hw3, depth.depth_hw, measured_hw, moving_hw)


# From a view with at least one measured pixel to a depth for each pixel.
Fill = Callable[[Incomplete], FloatMap]


def completed_depth(view: Incomplete, fill: Fill) -> FloatMap:
    """Depth where it was not measured, 0 where it was; all 0 if nothing was measured."""
    if not view.measured_hw.any():
        return np.zeros_like(view.depth_hw)
    return np.where(view.measured_hw, np.float32(0), fill(view)).astype(np.float32)


def load_fill(options: CompletionOptions) -> Fill | None:
    """The fill that the options name, None for none.

    Raises:
        UsageError: the weights cannot be used.
    """
    if options.method == "none":
        return None
    if options.method == "inpainting":
        return inpainting_fill
    return LearnedFill(load_network(options.weights or COMPLETION_WEIGHTS))


def inpainting_fill(view: Incomplete) -> FloatMap:
    """Inpainting of inverse depth after Navier and Stokes (Bertalmio et al., CVPR 2001)."""
    return np.asarray(1 / _inpainted(_inverse(view), view.measured_hw), np.float32)


def _inverse(view: Incomplete) -> FloatMap:
    """Inverse depth, 0 where it was not measured."""
    return inverted(np.where(view.measured_hw, view.depth_hw, np.float32(0)))


def _inpainted(inverse_hw: FloatMap, known_hw: NDArray[np.bool_]) -> FloatMap:
    """What is unknown, from its rim inwards, not below the least known value.

    OpenCV's other method (Telea's) gives false values for floating-point numbers.
    """
    unknown_hw = (~known_hw).astype(np.uint8)
    filled_hw = cv2.inpaint(inverse_hw, unknown_hw, INPAINTING_RADIUS_PX, cv2.INPAINT_NS)
    return np.asarray(np.maximum(filled_hw, inverse_hw[known_hw].min()), np.float32)


@dataclass(frozen=True)
class LearnedFill:
    """What the network expects.

    Attributes:
        network: with its weights.
    """

    network: CompletionNetwork

    def __call__(self, view: Incomplete) -> FloatMap:
        """The most likely completion: that of the latent's mean."""
        given, log_unit = network_input(view)
        with torch.inference_mode():
            condition = self.network.condition(given)
            log_bhw, _ = self.network.decode(condition, self.network.expected(condition).mean)
        height, width = view.depth_hw.shape
        return np.asarray(torch.exp(-(log_bhw[0, :height, :width] + log_unit)).numpy())


def network_input(view: Incomplete) -> tuple[CompletionInput, float]:
    """What the network sees of a view, padded, and the median that was taken from the logarithm."""
    measured_hw = view.measured_hw
    log_hw = -np.log(np.where(measured_hw, view.depth_hw, 1.0)).astype(np.float32)
    log_unit = float(np.median(log_hw[measured_hw]))
    relative_hw = np.where(measured_hw, log_hw - np.float32(log_unit), np.float32(0))
    image_chw = view.rgb_hw3.transpose(2, 0, 1).astype(np.float32) / 255.0
    measured = _padded(measured_hw[None], "constant")
    return CompletionInput(
        image_b3hw=_padded(image_chw, "replicate"),
        image_known_b1hw=_padded(~view.hidden_hw[None], "constant"),
        log_inverse_b1hw=_padded(relative_hw[None], "constant"),
        measured_b1hw=measured,
        fill_b1hw=_coarse_fill(_padded(_inverse(view)[None], "constant"), measured, log_unit),
    ), log_unit


def _coarse_fill(inverse: torch.Tensor, measured: torch.Tensor, log_unit: float) -> torch.Tensor:
    """Inpainting at 1/4 of the size, as logarithm of inverse depth less the unit."""
    share = F.avg_pool2d(measured, QUARTER)
    mean = F.avg_pool2d(inverse, QUARTER) / share.clamp(min=LEAST_WEIGHT)
    filled_hw = _inpainted(mean[0, 0].numpy(), share[0, 0].numpy() > 0)
    return torch.from_numpy(np.log(filled_hw) - np.float32(log_unit))[None, None]


def _padded(values_chw: NDArray[Any], mode: str) -> torch.Tensor:
    height, width = values_chw.shape[1:]
    values = torch.from_numpy(np.ascontiguousarray(values_chw, np.float32))
    return F.pad(values[None], (0, -width % STRIDE, 0, -height % STRIDE), mode)


def load_network(path: Path = COMPLETION_WEIGHTS) -> CompletionNetwork:
    """The network with the weights of an exported file, by default the shipped ones.

    Raises:
        UsageError: the file is missing or holds something else.
    """
    return load_weights(
        path, lambda sizes: CompletionNetwork(CompletionSettings(**sizes)), "completion"
    )[0]
