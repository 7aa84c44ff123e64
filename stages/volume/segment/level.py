"""A field that is above zero inside, with its zero where the values cross the threshold."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from mvrecon.artifacts.volume import off_zero
from stages.volume.segment.thresholds import Band

Level = NDArray[np.float16]

LIMIT = 60_000.0  # of half precision, which is finest about zero, where it counts


def level_of(values_kji: NDArray[Any], band: Band, scale: float) -> Level:
    """The level of a slab of whole slices.

    Args:
        values_kji: the values.
        band: which of them are inside.
        scale: typical difference between inside and outside; levels are in its thousandths.
    """
    values = values_kji.astype(np.float32)
    # Whole numbers: those equal to the threshold are inside, so that it lies half a step lower.
    half = 0.5 if values_kji.dtype.kind == "i" and float(band.low).is_integer() else 0.0
    level = np.full_like(values, np.inf)
    if np.isfinite(band.low):
        level = values - np.float32(band.low - half)
    if np.isfinite(band.high):
        half = 0.5 if values_kji.dtype.kind == "i" and float(band.high).is_integer() else 0.0
        level = np.minimum(level, np.float32(band.high + half) - values)
    level *= np.float32(1000.0 / scale)
    if band.region != "all":
        for slice_hw in level:
            _close(slice_hw, band.region)
    return np.clip(off_zero(level), -LIMIT, LIMIT).astype(np.float16)


def _close(level_hw: NDArray[np.float32], region: str) -> None:
    """Fill what a slice's inside encloses, or take away what reaches the slice's edge."""
    empty_hw = level_hw < 0 if region == "filled" else level_hw >= 0
    pieces_hw, _ = ndimage.label(empty_hw)
    rim = np.concatenate([pieces_hw[[0, -1]].ravel(), pieces_hw[:, [0, -1]].ravel()])
    at_rim_hw = np.isin(pieces_hw, np.unique(rim[rim > 0]))
    if region == "filled":
        enclosed_hw = empty_hw & ~at_rim_hw
        level_hw[enclosed_hw] = -level_hw[enclosed_hw]
    else:
        level_hw[at_rim_hw] = -level_hw[at_rim_hw]
