"""Semi-global aggregation of a cost volume (Hirschmüller 2008)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mvrecon.geometry.transfer import FloatMap

CostVolume = NDArray[np.int16]


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
    for shift in (-1, 0, 1):
        jump_hw = _jump_penalties(gray_hw, shift, small_penalty, large_penalty)
        _add_paths(total_hdw, costs_hdw, jump_hw, shift, small_penalty)
        jump_hw = _jump_penalties(gray_hw[::-1], shift, small_penalty, large_penalty)
        _add_paths(total_hdw[::-1], costs_hdw[::-1], jump_hw, shift, small_penalty)
    costs_wdh = np.ascontiguousarray(costs_hdw.transpose(2, 1, 0))
    total_wdh = np.zeros(costs_wdh.shape, np.int16)
    gray_wh = np.ascontiguousarray(gray_hw.T)
    jump_wh = _jump_penalties(gray_wh, 0, small_penalty, large_penalty)
    _add_paths(total_wdh, costs_wdh, jump_wh, 0, small_penalty)
    jump_wh = _jump_penalties(gray_wh[::-1], 0, small_penalty, large_penalty)
    _add_paths(total_wdh[::-1], costs_wdh[::-1], jump_wh, 0, small_penalty)
    total_hdw += total_wdh.transpose(2, 1, 0)
    return total_hdw


def _jump_penalties(
    gray_hw: FloatMap, shift: int, small_penalty: int, large_penalty: int
) -> NDArray[np.int16]:
    """Penalty of a jump between each pixel and the one before it on the path."""
    previous_hw = np.roll(gray_hw[:-1], shift, axis=1)
    contrast_hw = np.abs(gray_hw[1:] - previous_hw)
    jump_hw = large_penalty / (1.0 + contrast_hw / 8.0)
    return np.asarray(np.maximum(jump_hw, small_penalty * 1.5), np.int16)


def _add_paths(
    total: CostVolume,
    costs: NDArray[np.uint8],
    jumps: NDArray[np.int16],
    shift: int,
    small_penalty: int,
) -> None:
    """Follow paths from the first row to the last, `shift` columns sideways each row."""
    step = np.int16(small_penalty)
    path_dw = costs[0].astype(np.int16)
    total[0] += path_dw
    for row in range(1, len(costs)):
        if shift:
            path_dw = np.roll(path_dw, shift, axis=1)
            # A path that enters from the side starts afresh.
            path_dw[:, 0 if shift > 0 else -1] = 0
        best_w = path_dw.min(axis=0)
        reach_dw = np.minimum(path_dw, best_w + jumps[row - 1])
        path_dw += step
        np.minimum(reach_dw[1:], path_dw[:-1], out=reach_dw[1:])
        np.minimum(reach_dw[:-1], path_dw[1:], out=reach_dw[:-1])
        reach_dw -= best_w
        reach_dw += costs[row]
        total[row] += reach_dw
        path_dw = reach_dw


def best_hypothesis(total_hdw: CostVolume) -> tuple[NDArray[np.intp], FloatMap]:
    """Cheapest hypothesis of each pixel.

    Returns:
        Its index (h, w), and its position with the parabola through its neighbours, in
        units of hypotheses (h, w).
    """
    index_hw = total_hdw.argmin(axis=1)
    hypotheses = total_hdw.shape[1]
    before, at, after = (
        np.take_along_axis(total_hdw, np.clip(index_hw + step, 0, hypotheses - 1)[:, None], 1)[
            :, 0
        ].astype(np.float32)
        for step in (-1, 0, 1)
    )
    curvature_hw = before + after - 2.0 * at
    offset_hw = 0.5 * (before - after) / np.maximum(curvature_hw, 1e-3)
    inner_hw = (index_hw > 0) & (index_hw < hypotheses - 1) & (curvature_hw > 0)
    position_hw = index_hw + np.where(inner_hw, np.clip(offset_hw, -0.5, 0.5), 0.0)
    return index_hw, position_hw.astype(np.float32)


def ambiguity(total_hdw: CostVolume, margin: int) -> FloatMap:
    """Share of the hypotheses (h, w) whose cost is within `margin` of the least."""
    limit_hw = total_hdw.min(axis=1) + np.int16(margin)
    return np.asarray((total_hdw <= limit_hw[:, None]).mean(axis=1, dtype=np.float32))
