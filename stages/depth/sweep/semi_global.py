"""Semi-global aggregation of a cost volume (Hirschmüller 2008)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mvrecon.compiled import compiled
from mvrecon.geometry.transfer import FloatMap

CostVolume = NDArray[np.int16]
# Above every cost of a path, and a small penalty more is still an int16.
OUT_OF_REACH = np.int16(16_000)


def aggregate(
    costs_hdw: NDArray[np.uint8], gray_hw: FloatMap, small_penalty: int, large_penalty: int
) -> CostVolume:
    """Sum of the costs of the best paths from eight directions.

    Args:
        costs_hdw: matching costs, 0…127, (height, hypotheses, width).
        gray_hw: image whose edges make jumps cheap.
        small_penalty: for a change of one hypothesis between neighbouring pixels.
        large_penalty: for a larger change, where the image is flat.

    Returns:
        (height, hypotheses, width), int16; at most 8 × (127 + large_penalty).
    """
    total_hdw = np.zeros(costs_hdw.shape, np.int16)
    small = np.int16(small_penalty)
    across_hw = _jump_penalties(gray_hw.T, 0, small_penalty, large_penalty).T
    # Nothing is before the first pixel of a path, from either side.
    _add_rows(costs_hdw, np.pad(across_hw, ((0, 0), (1, 1))), small, total_hdw)
    for upwards in (False, True):
        followed_hw = gray_hw[::-1] if upwards else gray_hw
        jumps_3hw = np.stack(
            [
                _jump_penalties(followed_hw, shift, small_penalty, large_penalty)
                for shift in (-1, 0, 1)
            ]
        )
        jumps_3hw = np.pad(jumps_3hw, ((0, 0), (1, 0), (0, 0)))
        _add_columns(costs_hdw, jumps_3hw, small, upwards, total_hdw)
    return total_hdw


def _jump_penalties(
    gray_hw: FloatMap, shift: int, small_penalty: int, large_penalty: int
) -> NDArray[np.int16]:
    """Penalty of a jump between each pixel and the one before it on the path, (h − 1, w)."""
    previous_hw = np.roll(gray_hw[:-1], shift, axis=1)
    contrast_hw = np.abs(gray_hw[1:] - previous_hw)
    jump_hw = large_penalty / (1.0 + contrast_hw / 8.0)
    return np.asarray(np.maximum(jump_hw, small_penalty * 1.5), np.int16)


@compiled
def _add_columns(
    costs_hdw: NDArray[np.uint8],
    jumps_3hw: NDArray[np.int16],
    small: np.int16,
    upwards: bool,
    total_hdw: CostVolume,
) -> None:
    """Follow the paths that go straight and aslant from one edge, all rows at once."""
    height, hypotheses, width = costs_hdw.shape
    # A column more on each side: a path that enters from there starts afresh.
    paths_3dw = np.zeros((3, hypotheses, width + 2), np.int16)
    next_3dw = np.zeros((3, hypotheses, width + 2), np.int16)
    best_3w = np.zeros((3, width + 2), np.int16)
    for step in range(height):
        y = height - 1 - step if upwards else step
        for direction in range(3):
            jump_w = jumps_3hw[direction, step]
            # Where the pixel before lies: aslant to the right, straight, to the left.
            start = 2 - direction
            before = paths_3dw[direction], best_3w[direction]
            _step(before, start, jump_w, small, costs_hdw[y], next_3dw[direction], total_hdw[y])
            _least(next_3dw[direction], best_3w[direction])
        paths_3dw, next_3dw = next_3dw, paths_3dw


@compiled
def _step(  # noqa: PLR0917
    before: tuple[NDArray[np.int16], NDArray[np.int16]],
    start: int,
    jump_w: NDArray[np.int16],
    small: np.int16,
    costs_dw: NDArray[np.uint8],
    next_dw: NDArray[np.int16],
    total_dw: NDArray[np.int16],
) -> None:
    """Costs of the best paths one pixel on.

    Args:
        before: costs of the paths that end at the pixels before, with a column more on each
            side, and the least of each column.
        start: column of the first of these pixels.
        jump_w: penalties of a jump.
        small: penalty of a step.
        costs_dw: matching costs.
        next_dw: takes the costs, with a column more on each side.
        total_dw: is added to.
    """
    hypotheses, width = costs_dw.shape
    before_dw, best_w = before[0], before[1][start : start + width]
    for d in range(hypotheses):
        same_w = before_dw[d, start : start + width]
        below_w = before_dw[max(d - 1, 0), start : start + width]
        above_w = before_dw[min(d + 1, hypotheses - 1), start : start + width]
        costs_w, next_w, total_w = costs_dw[d], next_dw[d, 1 : width + 1], total_dw[d]
        for x in range(width):
            best = best_w[x]
            reach = np.int16(best + jump_w[x])
            reach = same_w[x] if same_w[x] < reach else reach
            below, above = np.int16(below_w[x] + small), np.int16(above_w[x] + small)
            reach = below if below < reach else reach
            reach = above if above < reach else reach
            value = np.int16(np.int16(reach - best) + np.int16(costs_w[x]))
            next_w[x] = value
            total_w[x] = np.int16(total_w[x] + value)


@compiled
def _least(values_dw: NDArray[np.int16], least_w: NDArray[np.int16]) -> None:
    """Smallest value of each column."""
    for d in range(len(values_dw)):
        value_w = values_dw[d]
        for x in range(len(least_w)):
            least_w[x] = value_w[x] if d == 0 or value_w[x] < least_w[x] else least_w[x]


@compiled
def _add_rows(
    costs_hdw: NDArray[np.uint8],
    jumps_hw: NDArray[np.int16],
    small: np.int16,
    total_hdw: CostVolume,
) -> None:
    """Follow the paths along each row, there and back."""
    height, hypotheses, width = costs_hdw.shape
    # A hypothesis more on each side, out of reach.
    path_d = np.empty(hypotheses + 2, np.int16)
    next_d = np.empty(hypotheses + 2, np.int16)
    costs_wd = np.empty((width, hypotheses), np.uint8)
    total_wd = np.empty((width, hypotheses), np.int16)
    for y in range(height):
        for d in range(hypotheses):
            for x in range(width):
                costs_wd[x, d] = costs_hdw[y, d, x]
                total_wd[x, d] = total_hdw[y, d, x]
        for backwards in (False, True):
            for d in range(hypotheses + 2):
                path_d[d] = np.int16(0) if 1 <= d <= hypotheses else OUT_OF_REACH
                next_d[d] = OUT_OF_REACH
            best = np.int16(0)
            for step in range(width):
                x = width - 1 - step if backwards else step
                jump = jumps_hw[y, x + 1 if backwards else x]
                best = _step_along(path_d, best, jump, small, costs_wd[x], next_d, total_wd[x])
                path_d, next_d = next_d, path_d
        for d in range(hypotheses):
            for x in range(width):
                total_hdw[y, d, x] = total_wd[x, d]


@compiled
def _step_along(  # noqa: PLR0917
    path_d: NDArray[np.int16],
    best: np.int16,
    jump: np.int16,
    small: np.int16,
    costs_d: NDArray[np.uint8],
    next_d: NDArray[np.int16],
    total_d: NDArray[np.int16],
) -> np.int16:
    """Costs of the best paths one pixel on, of all hypotheses of one pixel; the least of them."""
    limit = np.int16(best + jump)
    least = OUT_OF_REACH
    for d in range(len(costs_d)):
        reach = path_d[d + 1] if path_d[d + 1] < limit else limit
        below, above = np.int16(path_d[d] + small), np.int16(path_d[d + 2] + small)
        reach = below if below < reach else reach
        reach = above if above < reach else reach
        value = np.int16(np.int16(reach - best) + np.int16(costs_d[d]))
        next_d[d + 1] = value
        total_d[d] = np.int16(total_d[d] + value)
        least = value if value < least else least
    return least


def best_hypothesis(total_hdw: CostVolume) -> tuple[NDArray[np.int16], FloatMap]:
    """Cheapest hypothesis of each pixel.

    Returns:
        Its index (h, w), and its position with the parabola through its neighbours, in
        units of hypotheses (h, w).
    """
    height, _, width = total_hdw.shape
    index_hw = np.empty((height, width), np.int16)
    position_hw = np.empty((height, width), np.float32)
    _cheapest(total_hdw, index_hw, position_hw)
    return index_hw, position_hw


@compiled
def _cheapest(total_hdw: CostVolume, index_hw: NDArray[np.int16], position_hw: FloatMap) -> None:
    height, hypotheses, width = total_hdw.shape
    least_w = np.empty(width, np.int16)
    for y in range(height):
        index_w, position_w = index_hw[y], position_hw[y]
        for d in range(hypotheses):
            total_w, label = total_hdw[y, d], np.int16(d)
            for x in range(width):
                better = d == 0 or total_w[x] < least_w[x]
                least_w[x] = total_w[x] if better else least_w[x]
                index_w[x] = label if better else index_w[x]
        for x in range(width):
            index = index_w[x]
            offset = np.float32(0)
            if 0 < index < hypotheses - 1:
                before = np.float32(total_hdw[y, index - 1, x])
                after = np.float32(total_hdw[y, index + 1, x])
                curvature = before + after - np.float32(2) * np.float32(least_w[x])
                if curvature > 0:
                    offset = np.float32(0.5) * (before - after) / curvature
                    offset = min(max(offset, np.float32(-0.5)), np.float32(0.5))
            position_w[x] = np.float32(index) + offset


def ambiguity(total_hdw: CostVolume, margin: int) -> FloatMap:
    """Share of the hypotheses (h, w) whose cost is within `margin` of the least."""
    limit_hw = total_hdw.min(axis=1) + np.int16(margin)
    return np.asarray((total_hdw <= limit_hw[:, None]).mean(axis=1, dtype=np.float32))
