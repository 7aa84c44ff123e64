"""Whether one rigid point could explain where the flow takes a pixel in several other frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

FloatMap = NDArray[np.float32]
VectorMap = NDArray[np.float32]
Pixels = NDArray[np.float32 | np.int16 | np.uint8]

# Flow is expected to be so far off: a part of what it moves by parallax, and at least this.
RELATIVE_ERROR = 0.05
LEAST_ERROR_PX = 0.5
# A pair's own noise: so many times its median distance from the epipolar lines.
NOISE_FACTOR = 4.0
# Poses and flow of a pair with more noise do not fit: it tells nothing.
MAX_NOISE_PX = 4.0
CONFIDENT = 0.5
MIN_CONFIDENT_PIXELS = 100
# A rigid point is refuted if its pixels look so much worse than those that the flow leads to.
WORSE_FACTOR = 1.5
WORSE_LEVELS = 2.0
WINDOW_PX = (7, 7)
MEDIAN_WINDOW_PX = 5
COARSE = 8
INVERSE_DEPTH_STEPS = 60000


@dataclass(frozen=True)
class Match:
    """Where the flow takes the pixels of a view, and where points of some depth would go.

    Homogeneous pixel in the other view = infinite_33 @ (x, y, 1) + inverse_depth * epipole_3.

    Attributes:
        target_hw2: pixels of the other pinhole image.
        confidence_hw: 0…1, 0 where the flow leaves the image.
        infinite_33, epipole_3: of the two posed pinhole cameras.
        gray_hw: the other image.
    """

    target_hw2: VectorMap
    confidence_hw: FloatMap
    infinite_33: NDArray[np.float32]
    epipole_3: NDArray[np.float32]
    gray_hw: FloatMap

    @cached_property
    def _at_infinity_3hw(self) -> tuple[FloatMap, ...]:
        height, width = self.confidence_hw.shape
        x_1w = np.arange(width, dtype=np.float32)[None]
        y_h1 = np.arange(height, dtype=np.float32)[:, None]
        return tuple(row[0] * x_1w + (row[1] * y_h1 + row[2]) for row in self.infinite_33)

    @cached_property
    def _target_2hw(self) -> tuple[FloatMap, ...]:
        return tuple(np.asarray(part_hw, np.float32) for part_hw in cv2.split(self.target_hw2))

    def project(self, inverse_depth_hw: FloatMap) -> tuple[FloatMap, FloatMap]:
        """Pixels, x (h, w) and y (h, w), in the other view of all pixels at some inverse depth."""
        u_hw, v_hw, w_hw = (
            part_hw + epipole * inverse_depth_hw
            for part_hw, epipole in zip(self._at_infinity_3hw, self.epipole_3, strict=True)
        )
        w_hw = np.maximum(w_hw, np.float32(1e-6))
        return u_hw / w_hw, v_hw / w_hw

    def inverse_depth(self, largest: float) -> FloatMap:
        """Inverse depth in 0…largest of the epipolar point that is nearest to the target."""
        u_hw, v_hw, w_hw = self._at_infinity_3hw
        x_hw, y_hw = self._target_2hw
        e_x, e_y, e_z = self.epipole_3
        slope_x_hw, slope_y_hw = e_x - x_hw * e_z, e_y - y_hw * e_z
        pull_hw = slope_x_hw * (x_hw * w_hw - u_hw) + slope_y_hw * (y_hw * w_hw - v_hw)
        information_hw = np.maximum(slope_x_hw**2 + slope_y_hw**2, np.float32(1e-12))
        return np.asarray(np.clip(pull_hw / information_hw, 0.0, largest), np.float32)

    def distance_px(self, inverse_depth_hw: FloatMap) -> FloatMap:
        """Distance of the target from a point at some inverse depth."""
        x_hw, y_hw = self.project(inverse_depth_hw)
        target_x_hw, target_y_hw = self._target_2hw
        return np.asarray(cv2.magnitude(x_hw - target_x_hw, y_hw - target_y_hw), np.float32)


@dataclass(frozen=True)
class Rigidity:
    """What several matches say about the pixels of a view; all maps 0…1.

    Attributes:
        moving_hw: share of the matches that refute every rigid point.
        odd_hw: share of the matches whose flow no rigid point explains; it may be wrong.
        known_hw: confidence of all matches together, 1 for one sure match or more.
    """

    moving_hw: FloatMap
    odd_hw: FloatMap
    known_hw: FloatMap


def judge_rigidity(
    gray_hw: FloatMap, matches: Sequence[Match], sparse_hw: FloatMap, largest: float
) -> Rigidity:
    """Compare flow to several frames with the best rigid point of each pixel.

    A match speaks for motion where the flow is farther from that point than its error allows,
    and where the images look right at the flow's end and wrong at that of every rigid point
    tried. So weak texture and occlusion are not taken for motion. What moves along its
    epipolar lines, as an object does that runs ahead of the camera, cannot be told from depth,
    unless it would have to lie behind the camera or its depth changes.

    Args:
        gray_hw: the view.
        matches: with some other frames.
        sparse_hw: inverse depth from the nearest sparse points.
        largest: inverse depth that nothing exceeds.
    """
    noises_px = [(match, _noise_px(match)) for match in matches]
    used = [match for match, noise_px in noises_px if noise_px <= MAX_NOISE_PX]
    nothing_hw: FloatMap = np.zeros(gray_hw.shape, np.float32)
    if not used:
        return Rigidity(nothing_hw, nothing_hw, nothing_hw)
    tolerances = [_tolerance_hw(*item) for item in noises_px if item[1] <= MAX_NOISE_PX]
    best_hw = _best_inverse_depth(used, tolerances, largest)
    smooth_hw = _median(_median(best_hw, largest), largest)
    rigid = [best_hw, smooth_hw, _coarse(best_hw, largest), sparse_hw]
    weight_hw = nothing_hw.copy()
    odd_hw = nothing_hw.copy()
    moving_hw = nothing_hw.copy()
    for match, tolerance_hw in zip(used, tolerances, strict=True):
        is_odd_hw = match.distance_px(best_hw) > tolerance_hw
        weight_hw += match.confidence_hw
        odd_hw += match.confidence_hw * is_odd_hw
        moving_hw += match.confidence_hw * (is_odd_hw & _refutes(gray_hw, match, rigid))
    total_hw = np.maximum(weight_hw, np.float32(1e-6))
    moving_hw /= total_hw
    odd_hw /= total_hw
    return Rigidity(moving_hw, odd_hw, np.minimum(weight_hw, np.float32(1)))


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


def sample(image: Pixels, at_hw2: VectorMap) -> NDArray[np.float32]:
    """Bilinear values at pixels, repeating the border; of integers rounded ones."""
    return _sample_at(image, *cv2.split(at_hw2))


def _noise_px(match: Match) -> float:
    """Noise of a pair across its epipolar lines, infinite if that cannot be told."""
    sure_hw = match.confidence_hw > CONFIDENT
    if sure_hw.sum() < MIN_CONFIDENT_PIXELS:
        return float("inf")
    across_px = match.distance_px(match.inverse_depth(np.inf))
    return NOISE_FACTOR * float(np.median(across_px[sure_hw]))


def _tolerance_hw(match: Match, noise_px: float) -> FloatMap:
    parallax_hw = match.distance_px(np.zeros_like(match.confidence_hw))
    return np.float32(RELATIVE_ERROR) * parallax_hw + np.float32(max(noise_px, LEAST_ERROR_PX))


def _best_inverse_depth(
    matches: Sequence[Match], tolerances: Sequence[FloatMap], largest: float
) -> FloatMap:
    """Of each match's inverse depth the one that explains all matches best (Geman–McClure)."""
    best_hw = np.zeros_like(tolerances[0])
    least_hw = np.full_like(best_hw, np.inf)
    for candidate in matches:
        candidate_hw = candidate.inverse_depth(largest)
        cost_hw = np.zeros_like(best_hw)
        for match, tolerance_hw in zip(matches, tolerances, strict=True):
            square_hw = (match.distance_px(candidate_hw) / tolerance_hw) ** 2
            cost_hw += match.confidence_hw * (square_hw / (1.0 + square_hw))
        better_hw = cost_hw < least_hw
        np.copyto(best_hw, candidate_hw, where=better_hw)
        np.copyto(least_hw, cost_hw, where=better_hw)
    return best_hw


def _refutes(gray_hw: FloatMap, match: Match, rigid: Sequence[FloatMap]) -> NDArray[np.bool_]:
    """Where the picture at the flow's end is right, and wrong at all rigid points."""
    at_flow_hw = _unlikeness(gray_hw, sample(match.gray_hw, match.target_hw2))
    at_rigid_hw = np.full_like(at_flow_hw, np.inf)
    for inverse_depth_hw in rigid:
        there_hw = _sample_at(match.gray_hw, *match.project(inverse_depth_hw))
        np.minimum(at_rigid_hw, _unlikeness(gray_hw, there_hw), out=at_rigid_hw)
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


def _sample_at(
    image: Pixels, x_hw: cv2.typing.MatLike, y_hw: cv2.typing.MatLike
) -> NDArray[np.float32]:
    sampled = cv2.remap(image, x_hw, y_hw, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(sampled, np.float32)
