"""Depth from optical flow, triangulated along the epipolar lines of several views."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from mvrecon.geometry.transfer import FloatMap, PixelTransfer

# Of the reweighted least squares; the last ones hardly move anything.
ITERATIONS = 4
# Distance from the point along the epipolar line at which a match has lost half its weight.
ROBUST_SCALE_PX = 1.5


@dataclass(frozen=True)
class FlowMatch:
    """Where one neighbour's flow takes the pixels of a view.

    Attributes:
        target_hw2: pixels of the neighbour's pinhole image, float32.
        confidence_hw: 0…1, 0 where the flow leaves the image.
        transfer: from the view to the neighbour.
    """

    target_hw2: NDArray[np.float32]
    confidence_hw: FloatMap
    transfer: PixelTransfer


@dataclass(frozen=True)
class DepthPrior:
    """What is known of the inverse depth before matching.

    Attributes:
        inverse_depth_hw: float32; no meaning where the weight is 0.
        deviation_hw: its standard deviation.
        weight_hw: 0…1.
    """

    inverse_depth_hw: FloatMap
    deviation_hw: FloatMap
    weight_hw: FloatMap


def match_by_flow(
    flow_hw2: NDArray[np.float32],
    confidence_hw: FloatMap,
    into_stored_hw2: NDArray[np.float32],
    into_undistorted_hw2: NDArray[np.float32],
    transfer: PixelTransfer,
) -> FlowMatch:
    """Carry flow between images as they are stored over to undistorted ones.

    Args:
        flow_hw2: from the view's stored image to the neighbour's [px of its own size].
        confidence_hw: of the flow, 0…1.
        into_stored_hw2: pixel of the view's stored image for each of its undistorted one.
        into_undistorted_hw2: pixel of the neighbour's undistorted image for each of its stored.
        transfer: between the undistorted images.
    """
    height, width = flow_hw2.shape[:2]
    moved_hw2 = into_stored_hw2 + _sample(flow_hw2, into_stored_hw2)
    weight_hw = _sample(confidence_hw, into_stored_hw2)
    inside_hw = np.all((moved_hw2 >= 0) & (moved_hw2 <= [width - 1, height - 1]), axis=2)
    target_hw2 = _sample(into_undistorted_hw2, moved_hw2)
    return FlowMatch(target_hw2, np.where(inside_hw, weight_hw, np.float32(0)), transfer)


def _sample(image: NDArray[np.float32], at_hw2: NDArray[np.float32]) -> NDArray[np.float32]:
    """Bilinear, repeating the border."""
    x_hw, y_hw = np.ascontiguousarray(at_hw2[..., 0]), np.ascontiguousarray(at_hw2[..., 1])
    sampled = cv2.remap(image, x_hw, y_hw, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(sampled, np.float32)


def triangulate(matches: Sequence[FlowMatch], initial: float) -> DepthPrior:
    """Inverse depth that the matches of several views agree on best.

    Robust least squares (Cauchy weights, iterated) of the distances in pixels between the
    matches and the epipolar point of the inverse depth.

    Args:
        matches: at least one, all of the same size.
        initial: inverse depth to start from.
    """
    height, width = matches[0].confidence_hw.shape
    inverse_depth_hw = np.full((height, width), initial, np.float32)
    for iteration in range(ITERATIONS):
        pull_hw = np.zeros((height, width), np.float32)
        information_hw = np.full((height, width), 1e-12, np.float32)
        agreement_hw = np.zeros((height, width), np.float32)
        for match in matches:
            slope_hw2, residual_hw2 = _linearize(match, inverse_depth_hw)
            distance_hw = np.sum(residual_hw2**2, axis=2)
            # The first step has no estimate that could tell outliers apart.
            scale_px = ROBUST_SCALE_PX * (8.0 if iteration == 0 else 1.0)
            weight_hw = match.confidence_hw / (1.0 + distance_hw / np.float32(scale_px**2))
            pull_hw += weight_hw * np.sum(slope_hw2 * residual_hw2, axis=2)
            information_hw += weight_hw * np.sum(slope_hw2 * slope_hw2, axis=2)
            agreement_hw += weight_hw
        inverse_depth_hw = np.maximum(inverse_depth_hw + pull_hw / information_hw, 0.0)
    return DepthPrior(
        inverse_depth_hw,
        (ROBUST_SCALE_PX / np.sqrt(information_hw)).astype(np.float32),
        agreement_hw / (agreement_hw + np.float32(0.5)),
    )


def _linearize(
    match: FlowMatch, inverse_depth_hw: FloatMap
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Derivative of the epipolar point by inverse depth, and its distance to the match [px]."""
    u_hw, v_hw, w_hw = match.transfer.project(inverse_depth_hw)
    w_hw = np.maximum(w_hw, np.float32(1e-6))
    point_hw2 = np.stack([u_hw / w_hw, v_hw / w_hw], axis=2)
    epipole_3 = match.transfer.epipole_3.astype(np.float32)
    slope_hw2 = (epipole_3[:2] - point_hw2 * epipole_3[2]) / w_hw[..., None]
    return slope_hw2, match.target_hw2 - point_hw2
