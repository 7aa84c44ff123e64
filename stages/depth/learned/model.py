"""The learned depth: network weights and their use on views."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from mvrecon.geometry.transfer import FloatMap
from mvrecon.learning.memo import ImageMemo
from mvrecon.learning.precision import UsedPrecision, autocast
from mvrecon.learning.weights import load_weights
from stages.depth.config import DEPTHNET_WEIGHTS, SweepOptions
from stages.depth.learned.epipolar import FEATURE_STRIDE, epipolar_geometry, feature_transfer
from stages.depth.learned.network import (
    DepthNet,
    DepthNetOutput,
    DepthNetSettings,
    Encoded,
    expected_error,
    probability_within,
)
from stages.depth.learned.plane_filling import fill_by_planes
from stages.depth.learned.start import Start, measure_start
from stages.depth.sweep.flow_prior import DepthPrior
from stages.depth.sweep.plane_sweep import SweptDepth, refine_surface, smooth_surface
from stages.depth.sweep.upsampling import upsample_by_color
from stages.depth.views import MATCHED_VIEWS, View

# The network compares features of 4 × 4 pixels; what is finer is found in the images.
REFINEMENT_PX = 0.5
# What is left to correct in the logit of the network's confidence after filling in and refining,
# fitted like the sweep's confidence.
CONFIDENCE_SLOPE, CONFIDENCE_SHIFT = 0.909, 0.391


class LearnedDepth:
    """Measures depth with a trained network.

    Args:
        network: trained.
        precision: number format of its convolutions.
        sweep: options of the sweep that it starts from.
    """

    def __init__(self, network: DepthNet, precision: UsedPrecision, sweep: SweepOptions) -> None:
        self._network = network.eval()
        self._precision = precision
        self._sweep = sweep
        self._encodings = ImageMemo(self._encode)

    def start(
        self, views: Sequence[View], bounds: tuple[float, float], prior: DepthPrior | None
    ) -> Start:
        """What the first view's depth starts from, at half its resolution.

        Args:
            views: the view and its neighbours, best first, of cameras from `network_camera`.
            bounds: smallest and largest inverse depth.
            prior: at the resolution of `sweep_camera(view.camera)`, or None.
        """
        view, *neighbors = (one.halved() for one in views)
        return measure_start(view, neighbors, bounds, prior, self._sweep)

    def depth(
        self,
        views: Sequence[View],
        images_hw3: Sequence[NDArray[np.uint8]],
        bounds: tuple[float, float],
        start: Start,
    ) -> SweptDepth:
        """Depth of the first view at its resolution.

        Args:
            views: the view and its neighbours, best first, of cameras from `network_camera`.
            images_hw3: RGB of the view and its first neighbours; the same array
                again is known and not encoded again.
            bounds: smallest and largest inverse depth.
            start: of the view, `with_agreement`.
        """
        transfers = [
            feature_transfer(
                views[0].camera, views[0].cam_from_world, other.camera, other.cam_from_world
            )
            for other in views[1 : MATCHED_VIEWS + 1]
        ]
        epipolar = epipolar_geometry(views[0].camera, transfers, bounds, len(transfers))
        start_b1hw = torch.from_numpy(start.inverse_depth_hw)[None, None]
        cues_bchw = torch.from_numpy(start.cues_chw)[None]
        with torch.inference_mode(), autocast(self._precision):
            encoded, *near = (self._encodings(image_hw3) for image_hw3 in images_hw3)
            output = self._network(encoded, near[:MATCHED_VIEWS], epipolar, start_b1hw, cues_bchw)
        found = depth_of(output, images_hw3[0])
        # The start's step is a pixel at half the resolution.
        step = 0.5 * REFINEMENT_PX * start.step
        refined_hw = refine_surface(
            views[0], views[1 : MATCHED_VIEWS + 1], found.inverse_depth_hw, step
        )
        smooth_hw = smooth_surface(refined_hw, start.step)
        lowest = np.float32(0.5 * bounds[0])
        return SweptDepth(np.maximum(smooth_hw, lowest), found.confidence_hw)

    def _encode(self, image_hw3: NDArray[np.uint8]) -> Encoded:
        image_b3hw = torch.from_numpy(image_hw3).permute(2, 0, 1)[None].float() / 255.0
        return self._network.encode(image_b3hw)


def depth_of(output: DepthNetOutput, image_hw3: NDArray[np.uint8]) -> SweptDepth:
    """The network's depth of one view, planes where it is unsure, with its confidence.

    Args:
        output: of one view.
        image_hw3: RGB, of that view.
    """
    with torch.inference_mode():
        error_hw = F.avg_pool2d(expected_error(output.mixture_b3hw), FEATURE_STRIDE)[0].numpy()
        coarse_hw = output.levels[-1][0, 0].exp().numpy()
        size_wh = coarse_hw.shape[::-1]
        small_hw3 = cv2.resize(image_hw3, size_wh, interpolation=cv2.INTER_AREA)
        filled_hw = fill_by_planes(
            coarse_hw, error_hw, small_hw3.astype(np.float32) / np.float32(255)
        )
        logit_hw = probability_within(output.mixture_b3hw)[0].logit(1e-4)
        confidence_hw = torch.sigmoid(CONFIDENCE_SLOPE * logit_hw + CONFIDENCE_SHIFT).numpy()
    inverse_hw = _at_full_size(filled_hw, image_hw3) * np.float32(output.scale_b[0])
    return SweptDepth(inverse_hw, confidence_hw)


def _at_full_size(coarse_hw: FloatMap, image_hw3: NDArray[np.uint8]) -> FloatMap:
    """A surface at 1/4, upsampled twice along the image's edges.

    The network's own convex upsampling mixes what lies before and behind an edge: points
    between them are on neither, and a mesh has room for both.
    """
    grays = [cv2.cvtColor(image_hw3, cv2.COLOR_RGB2GRAY).astype(np.float32)]
    for _ in range(2):
        height, width = grays[-1].shape
        half_wh = (width // 2, height // 2)
        grays.append(np.asarray(cv2.resize(grays[-1], half_wh, interpolation=cv2.INTER_AREA)))
    half_hw = upsample_by_color(coarse_hw, grays[2], grays[1])
    return upsample_by_color(half_hw, grays[1], grays[0])


def load_network(path: Path = DEPTHNET_WEIGHTS) -> DepthNet:
    """The network with the shipped weights, or with those of an exported file.

    Raises:
        UsageError: the file is missing or holds something else.
    """
    return load_weights(path, lambda sizes: DepthNet(DepthNetSettings(**sizes)), "depth")[0]
