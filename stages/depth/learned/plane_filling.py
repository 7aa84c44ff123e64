"""Filling in of depth: smooth as planes are, true to what is certain, free to jump at edges.

The inverse depth of a plane is linear in the pixel, so its second differences vanish. Sought
is the surface that weighs these (robustly, and less across edges of the image) against the
distance to the estimate in units of its own uncertainty: iteratively reweighted least squares
by a few conjugate gradient steps from the estimate, so that what nothing near knows stays.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mvrecon.geometry.transfer import FloatMap

# Weights of second and first differences against the data, in the units of `data_weights`.
BEND_WEIGHT = 1.0
SLOPE_WEIGHT = 1.0
# Relative error at which an estimate has the weight 1, the least that is believed, and how
# steeply the weight falls with the error.
USUAL_ERROR = 0.03
LEAST_ERROR = 0.01
TRUST_POWER = 3.0
# Colour difference (0…1) between neighbours across which surfaces may jump.
EDGE_CONTRAST = 0.03
# Weight of smoothness that is left across the sharpest edge, so that nothing is undetermined.
LEAST_SMOOTHNESS = 0.01
# Bends and misses of the estimate beyond these shares of the median count less.
ROBUST_BEND = 0.02
LENIENCE = 1.0
LENIENT_TURNS = 1
ROBUST_MISS = 0.1
# Turns, and conjugate gradient steps of each: what nothing near knows shall stay.
REWEIGHTINGS = 6
SOLVER_STEPS = 40


@dataclass(frozen=True)
class _Smoothness:
    """Weights of the differences along x and y."""

    bend_x: FloatMap
    bend_y: FloatMap
    slope_x: FloatMap
    slope_y: FloatMap


def fill_by_planes(
    inverse_depth_hw: FloatMap, relative_error_hw: FloatMap, image_hw3: NDArray[np.float32]
) -> FloatMap:
    """The surface that is most plausible given an estimate and its uncertainty.

    Args:
        inverse_depth_hw: the estimate, above 0.
        relative_error_hw: how far off it is expected to be.
        image_hw3: RGB in 0…1 of the same size.
    """
    unit = float(np.median(inverse_depth_hw))
    estimate_hw = (inverse_depth_hw / np.float32(unit)).astype(np.float32)
    weight_hw = data_weights(relative_error_hw) / np.maximum(estimate_hw, 0.1) ** 2
    edge_x, edge_y = _edge_weights(image_hw3)
    surface_hw = estimate_hw
    for turn in range(REWEIGHTINGS):
        # At first a bend is no edge where it may be the error of the estimate.
        lenience = LENIENCE if turn < LENIENT_TURNS else 0.0
        tolerance_hw = np.float32(ROBUST_BEND) + np.float32(lenience) * relative_error_hw
        smoothness = _smoothness(surface_hw, edge_x, edge_y, tolerance_hw)
        miss_hw = (surface_hw - estimate_hw) / np.float32(ROBUST_MISS)
        trust_hw = weight_hw / (1.0 + miss_hw**2)
        surface_hw = _solve(estimate_hw, trust_hw, smoothness, surface_hw)
    lowest_hw = np.float32(0.2) * np.float32(estimate_hw.min())
    return np.asarray(np.maximum(surface_hw, lowest_hw) * np.float32(unit), np.float32)


def data_weights(relative_error_hw: FloatMap) -> FloatMap:
    """How much an estimate with such an expected error counts."""
    ratio_hw = (USUAL_ERROR + LEAST_ERROR) / (relative_error_hw + LEAST_ERROR)
    return np.asarray(ratio_hw**TRUST_POWER, np.float32)


def _edge_weights(image_hw3: NDArray[np.float32]) -> tuple[FloatMap, FloatMap]:
    """Smoothness (0…1) between neighbours along x (h, w − 1) and y (h − 1, w)."""
    weights = []
    for axis in (1, 0):
        contrast = np.abs(np.diff(image_hw3, axis=axis)).max(2) / EDGE_CONTRAST
        weights.append(np.exp(-(contrast**2)).astype(np.float32) + np.float32(LEAST_SMOOTHNESS))
    return weights[0], weights[1]


def _smoothness(
    surface_hw: FloatMap, edge_x: FloatMap, edge_y: FloatMap, tolerance_hw: FloatMap
) -> _Smoothness:
    bends: list[FloatMap] = []
    slopes: list[FloatMap] = []
    for axis, edge in ((1, edge_x), (0, edge_y)):
        pair = np.maximum(_without_last(tolerance_hw, axis), _without_first(tolerance_hw, axis))
        step = np.diff(surface_hw, axis=axis)
        slope = SLOPE_WEIGHT * edge / (1.0 + (step / pair) ** 2)
        slopes.append(slope.astype(np.float32))
        bend = np.diff(step, axis=axis)
        both = np.minimum(_without_last(edge, axis), _without_first(edge, axis))
        triple = np.maximum(_without_last(pair, axis), _without_first(pair, axis))
        stiffness = BEND_WEIGHT * both / (1.0 + (bend / triple) ** 2)
        bends.append(stiffness.astype(np.float32))
    return _Smoothness(bends[0], bends[1], slopes[0], slopes[1])


def _without_last(values: FloatMap, axis: int) -> FloatMap:
    return values[:, :-1] if axis == 1 else values[:-1]


def _without_first(values: FloatMap, axis: int) -> FloatMap:
    return values[:, 1:] if axis == 1 else values[1:]


def _apply(x_hw: FloatMap, weight_hw: FloatMap, smoothness: _Smoothness) -> FloatMap:
    """The normal equations' matrix times x."""
    y_hw = weight_hw * x_hw
    bend = smoothness.bend_x * (x_hw[:, :-2] - 2.0 * x_hw[:, 1:-1] + x_hw[:, 2:])
    y_hw[:, :-2] += bend
    y_hw[:, 1:-1] -= 2.0 * bend
    y_hw[:, 2:] += bend
    bend = smoothness.bend_y * (x_hw[:-2] - 2.0 * x_hw[1:-1] + x_hw[2:])
    y_hw[:-2] += bend
    y_hw[1:-1] -= 2.0 * bend
    y_hw[2:] += bend
    slope = smoothness.slope_x * (x_hw[:, 1:] - x_hw[:, :-1])
    y_hw[:, 1:] += slope
    y_hw[:, :-1] -= slope
    slope = smoothness.slope_y * (x_hw[1:] - x_hw[:-1])
    y_hw[1:] += slope
    y_hw[:-1] -= slope
    return y_hw


def _diagonal(weight_hw: FloatMap, smoothness: _Smoothness) -> FloatMap:
    """The matrix' diagonal."""
    diagonal_hw = weight_hw.copy()
    for bend, d_hw in ((smoothness.bend_x, diagonal_hw), (smoothness.bend_y.T, diagonal_hw.T)):
        d_hw[:, :-2] += bend
        d_hw[:, 1:-1] += 4.0 * bend
        d_hw[:, 2:] += bend
    for slope, d_hw in ((smoothness.slope_x, diagonal_hw), (smoothness.slope_y.T, diagonal_hw.T)):
        d_hw[:, 1:] += slope
        d_hw[:, :-1] += slope
    return diagonal_hw


def _solve(
    data_hw: FloatMap, weight_hw: FloatMap, smoothness: _Smoothness, start_hw: FloatMap
) -> FloatMap:
    """Conjugate gradients with the diagonal as preconditioner."""
    inverse_hw = 1.0 / _diagonal(weight_hw, smoothness)
    x_hw = start_hw.copy()
    residual_hw = weight_hw * data_hw - _apply(x_hw, weight_hw, smoothness)
    z_hw = inverse_hw * residual_hw
    direction_hw = z_hw.copy()
    strength = float(np.vdot(residual_hw, z_hw))
    for _ in range(SOLVER_STEPS):
        if strength < 1e-12:
            break
        applied_hw = _apply(direction_hw, weight_hw, smoothness)
        length = np.float32(strength / float(np.vdot(direction_hw, applied_hw)))
        x_hw += length * direction_hw
        residual_hw -= length * applied_hw
        z_hw = inverse_hw * residual_hw
        before, strength = strength, float(np.vdot(residual_hw, z_hw))
        direction_hw = z_hw + np.float32(strength / before) * direction_hw
    return x_hw
