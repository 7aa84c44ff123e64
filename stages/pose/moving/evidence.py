"""Evidence of motion: could one rigid point explain where flow takes a pixel in several frames?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from stages.pose.moving.flow_to_view import FloatMap, FlowToView, sample, sample_at
from stages.pose.options import MovingOptions

# A view's own noise: so many times its median distance from the epipolar lines.
NOISE_FACTOR = 4.0
# Poses and flow of a view with more noise do not fit: it tells nothing.
MAX_NOISE_PX = 4.0
# That noise is measured where flow is sure, if there are so many pixels of it.
CONFIDENT = 0.5
MIN_CONFIDENT_PIXELS = 100
# A rigid point is refuted if its pixels look so much worse than those that the flow leads to:
# by this factor, and so many grey levels of noise.
WORSE_FACTOR = 1.5
WORSE_LEVELS = 2.0
# Windows in which images are compared, and inverse depth is smoothed (OpenCV's largest median
# of 16-bit integers).
WINDOW_PX = (7, 7)
MEDIAN_WINDOW_PX = 5
# The wide surrounding is looked at in an image so many times smaller.
COARSE = 8
# Steps of inverse depth from 0 to the largest: nearly all that 16 bits hold.
INVERSE_DEPTH_STEPS = 60000


@dataclass(frozen=True)
class MotionEvidence:
    """What flow to several views says about the pixels of a view; all maps 0…1.

    Attributes:
        moving_hw: share of the flow that refutes every rigid point.
        odd_hw: share of the flow that no rigid point explains; it may be wrong.
        known_hw: confidence of all flow together, 1 for one sure view or more.
    """

    moving_hw: FloatMap
    odd_hw: FloatMap
    known_hw: FloatMap


def find_motion(
    grey_hw: FloatMap,
    flows: Sequence[FlowToView],
    sparse_hw: FloatMap,
    largest: float,
    options: MovingOptions,
) -> MotionEvidence:
    """Compare flow to several frames with the best rigid point of each pixel.

    A view speaks for motion where the flow to it is farther from that point than its error allows,
    and where the images look right at the flow's end and wrong at that of every rigid point
    tried. So weak texture and occlusion are not taken for motion. What moves along its
    epipolar lines, as an object does that runs ahead of the camera, cannot be told from depth,
    unless it would have to lie behind the camera or its depth changes.

    Args:
        grey_hw: the view.
        flows: to some other frames.
        sparse_hw: inverse depth from the nearest sparse points.
        largest: inverse depth that nothing exceeds.
        options: the error expected of flow.
    """
    noises_px = [(flow, _noise_px(flow)) for flow in flows]
    used = [flow for flow, noise_px in noises_px if noise_px <= MAX_NOISE_PX]
    nothing_hw: FloatMap = np.zeros(grey_hw.shape, np.float32)
    if not used:
        return MotionEvidence(nothing_hw, nothing_hw, nothing_hw)
    tolerances = [_tolerance_hw(*item, options) for item in noises_px if item[1] <= MAX_NOISE_PX]
    best_hw = _best_inverse_depth(used, tolerances, largest)
    smooth_hw = _median(_median(best_hw, largest), largest)
    rigid = [best_hw, smooth_hw, _coarse(best_hw, largest), sparse_hw]
    weight_hw = nothing_hw.copy()
    odd_hw = nothing_hw.copy()
    moving_hw = nothing_hw.copy()
    for flow, tolerance_hw in zip(used, tolerances, strict=True):
        is_odd_hw = flow.distance_px(best_hw) > tolerance_hw
        weight_hw += flow.confidence_hw
        odd_hw += flow.confidence_hw * is_odd_hw
        moving_hw += flow.confidence_hw * (is_odd_hw & _refutes(grey_hw, flow, rigid))
    total_hw = np.maximum(weight_hw, np.float32(1e-6))
    moving_hw /= total_hw
    odd_hw /= total_hw
    return MotionEvidence(moving_hw, odd_hw, np.minimum(weight_hw, np.float32(1)))


def sparse_inverse_depth(
    pixels_n2: NDArray[np.float64], depth_n: NDArray[np.float64], shape: tuple[int, int]
) -> FloatMap:
    """Inverse depth (h, w) of the nearest of some points in the picture; 0 without points."""
    free_hw = np.ones(shape, np.uint8)
    values_hw = np.zeros(shape, np.float32)
    xy_n2 = np.round(pixels_n2).astype(np.int64)
    inside_n = (depth_n > 0) & np.all((xy_n2 >= 0) & (xy_n2 < shape[::-1]), axis=1)
    x_n, y_n = xy_n2[inside_n].T
    if len(x_n) == 0:
        return values_hw
    free_hw[y_n, x_n] = 0
    values_hw[y_n, x_n] = 1.0 / depth_n[inside_n]
    _, labels_hw = cv2.distanceTransformWithLabels(
        free_hw, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    value_of_label = np.zeros(int(labels_hw.max()) + 1, np.float32)
    value_of_label[labels_hw[free_hw == 0]] = values_hw[free_hw == 0]
    return np.asarray(value_of_label[labels_hw])


def _noise_px(flow: FlowToView) -> float:
    """Noise of a pair across its epipolar lines, infinite if that cannot be told."""
    sure_hw = flow.confidence_hw > CONFIDENT
    if sure_hw.sum() < MIN_CONFIDENT_PIXELS:
        return float("inf")
    across_px = flow.distance_px(flow.inverse_depth(np.inf))
    return NOISE_FACTOR * float(np.median(across_px[sure_hw]))


def _tolerance_hw(flow: FlowToView, noise_px: float, options: MovingOptions) -> FloatMap:
    parallax_hw = flow.distance_px(np.zeros_like(flow.confidence_hw))
    return np.float32(options.relative_error) * parallax_hw + np.float32(
        max(noise_px, options.min_error)
    )


def _best_inverse_depth(
    flows: Sequence[FlowToView], tolerances: Sequence[FloatMap], largest: float
) -> FloatMap:
    """Of each flow's inverse depth the one that explains all flow best (Geman–McClure)."""
    best_hw = np.zeros_like(tolerances[0])
    least_hw = np.full_like(best_hw, np.inf)
    for candidate in flows:
        candidate_hw = candidate.inverse_depth(largest)
        cost_hw = np.zeros_like(best_hw)
        for flow, tolerance_hw in zip(flows, tolerances, strict=True):
            square_hw = (flow.distance_px(candidate_hw) / tolerance_hw) ** 2
            cost_hw += flow.confidence_hw * (square_hw / (1.0 + square_hw))
        better_hw = cost_hw < least_hw
        np.copyto(best_hw, candidate_hw, where=better_hw)
        np.copyto(least_hw, cost_hw, where=better_hw)
    return best_hw


def _refutes(grey_hw: FloatMap, flow: FlowToView, rigid: Sequence[FloatMap]) -> NDArray[np.bool_]:
    """Where the picture at the flow's end is right, and wrong at all rigid points."""
    at_flow_hw = _unlikeness(grey_hw, sample(flow.grey_hw, flow.target_hw2))
    at_rigid_hw = np.full_like(at_flow_hw, np.inf)
    for inverse_depth_hw in rigid:
        there_hw = sample_at(flow.grey_hw, *flow.project(inverse_depth_hw))
        np.minimum(at_rigid_hw, _unlikeness(grey_hw, there_hw), out=at_rigid_hw)
    return np.asarray(at_rigid_hw > WORSE_FACTOR * at_flow_hw + WORSE_LEVELS)


def _unlikeness(first_hw: FloatMap, second_hw: FloatMap) -> FloatMap:
    """Mean absolute difference in a window, whatever the brightness [grey levels]."""
    difference_hw = first_hw - second_hw
    difference_hw -= cv2.blur(difference_hw, WINDOW_PX)
    return np.asarray(cv2.blur(np.abs(difference_hw), WINDOW_PX))


def _median(values_hw: FloatMap, largest: float) -> FloatMap:
    """OpenCV's median takes 16-bit integers of this window."""
    steps_hw = np.round(values_hw * (INVERSE_DEPTH_STEPS / largest)).astype(np.uint16)
    median_hw = np.asarray(cv2.medianBlur(steps_hw, MEDIAN_WINDOW_PX), np.float32)
    return np.asarray(median_hw * np.float32(largest / INVERSE_DEPTH_STEPS))


def _coarse(values_hw: FloatMap, largest: float) -> FloatMap:
    """Median of a wide surrounding."""
    height, width = values_hw.shape
    small = max(width // COARSE, 1), max(height // COARSE, 1)
    small_hw = np.asarray(cv2.resize(values_hw, small, interpolation=cv2.INTER_AREA), np.float32)
    return np.asarray(cv2.resize(_median(small_hw, largest), (width, height)), np.float32)
