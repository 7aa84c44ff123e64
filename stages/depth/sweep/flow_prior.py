"""Depth from optical flow, triangulated along the epipolar lines of several views."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from mvrecon.compiled import compiled
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
    information_hw, agreement_hw = (np.empty((height, width), np.float32) for _ in range(2))
    transfers = [
        np.column_stack([match.transfer.infinite_33, match.transfer.epipole_3]) for match in matches
    ]
    _triangulate(
        np.stack([match.target_hw2 for match in matches]),
        np.stack([match.confidence_hw for match in matches]),
        np.stack(transfers).astype(np.float32),
        (inverse_depth_hw, information_hw, agreement_hw),
    )
    return DepthPrior(
        inverse_depth_hw,
        (ROBUST_SCALE_PX / np.sqrt(information_hw)).astype(np.float32),
        agreement_hw / (agreement_hw + np.float32(0.5)),
    )


@compiled
def _triangulate(
    targets_nhw2: NDArray[np.float32],
    confidences_nhw: NDArray[np.float32],
    transfers_n34: NDArray[np.float32],
    results: tuple[FloatMap, FloatMap, FloatMap],
) -> None:
    """Inverse depth (which holds its start), information and agreement, pixel by pixel."""
    count, height, width = confidences_nhw.shape
    inverse_depth_hw, information_hw, agreement_hw = results
    for y in range(height):
        for x in range(width):
            inverse_depth = inverse_depth_hw[y, x]
            information = agreement = np.float32(0)
            for iteration in range(ITERATIONS):
                # The first step has no estimate that could tell outliers apart.
                scale_px = ROBUST_SCALE_PX * (8.0 if iteration == 0 else 1.0)
                softness = np.float32(1.0 / scale_px**2)
                pull, information, agreement = np.float32(0), np.float32(1e-12), np.float32(0)
                for n in range(count):
                    confidence = confidences_nhw[n, y, x]
                    if confidence <= 0:
                        continue
                    slope, missing, distance = _linearized(
                        transfers_n34[n],
                        np.float32(x),
                        np.float32(y),
                        inverse_depth,
                        targets_nhw2[n, y, x],
                    )
                    weight = confidence / (np.float32(1) + distance * softness)
                    pull += weight * missing
                    information += weight * slope
                    agreement += weight
                inverse_depth = max(inverse_depth + pull / information, np.float32(0))
            inverse_depth_hw[y, x] = inverse_depth
            information_hw[y, x] = information
            agreement_hw[y, x] = agreement


@compiled
def _linearized(
    transfer_34: NDArray[np.float32],
    x: np.float32,
    y: np.float32,
    inverse_depth: np.float32,
    target_2: NDArray[np.float32],
) -> tuple[np.float32, np.float32, np.float32]:
    """The epipolar point of an inverse depth: d·d, d·r and r·r [px²].

    d is its derivative, r what the match is off it.
    """
    t = transfer_34
    u = t[0, 0] * x + t[0, 1] * y + t[0, 2] + t[0, 3] * inverse_depth
    v = t[1, 0] * x + t[1, 1] * y + t[1, 2] + t[1, 3] * inverse_depth
    w = max(t[2, 0] * x + t[2, 1] * y + t[2, 2] + t[2, 3] * inverse_depth, np.float32(1e-6))
    u, v = u / w, v / w
    slope_u, slope_v = (t[0, 3] - u * t[2, 3]) / w, (t[1, 3] - v * t[2, 3]) / w
    off_u, off_v = target_2[0] - u, target_2[1] - v
    slope = slope_u * slope_u + slope_v * slope_v
    return slope, slope_u * off_u + slope_v * off_v, off_u * off_u + off_v * off_v
