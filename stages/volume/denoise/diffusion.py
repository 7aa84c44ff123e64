"""Smoothing that stops at edges, and how strong the noise is."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mvrecon.formats.slabs import SlabFile

Array = NDArray[np.float32]

# Of the explicit scheme: below 1/6 it is stable with six neighbours.
STEP = 0.15
SAMPLED_SLICES = 16
# The mask of `noise_deviation` multiplies noise by 6, and 0.6745 deviations are its median size.
MASK_GAIN, MEDIAN_SIZE = 6.0, 0.6745


def diffused(
    values_kji: NDArray[Any], spacing_kji: NDArray[np.float64], edge: float, steps: int
) -> Array:
    """Nonlinear diffusion (Perona and Malik 1990), with fewer flow between distant neighbours.

    Args:
        values_kji: a volume or slab of it.
        spacing_kji: of slices, rows, columns.
        edge: difference between neighbours across which a third of the flow is left.
        steps: each lets values reach one voxel farther.
    """
    current = values_kji.astype(np.float32)
    shares = (spacing_kji.min() / spacing_kji) ** 2
    for _ in range(steps):
        change = np.zeros_like(current)
        for axis, share in enumerate(shares):
            if current.shape[axis] < 2:
                continue
            flow = np.diff(current, axis=axis)
            kept = flow * np.float32(1.0 / edge)
            np.square(kept, out=kept)
            np.negative(kept, out=kept)
            np.exp(kept, out=kept)
            flow *= kept
            flow *= np.float32(STEP * share)
            before = [slice(None)] * 3
            after = [slice(None)] * 3
            before[axis], after[axis] = slice(None, -1), slice(1, None)
            change[tuple(before)] += flow
            change[tuple(after)] -= flow
        current += change
    return current


def noise_deviation(volume: SlabFile) -> float:
    """Standard deviation of the noise, from slices spread over the volume.

    The median of what a mask leaves that is blind to planes and to straight edges along the axes
    (Immerkær 1996). Where it leaves exactly nothing is padding, and does not count; where that is
    more than half, what is left is edges, not noise.
    """
    slices = volume.shape[0]
    chosen = sorted({int(k) for k in np.linspace(0, slices - 1, SAMPLED_SLICES).round()})
    sizes, looked_at = [], 0
    for k in chosen:
        slice_hw = volume.read(k, k + 1)[0].astype(np.float32)
        if min(slice_hw.shape) < 3:
            continue
        along = slice_hw[:, :-2] - 2 * slice_hw[:, 1:-1] + slice_hw[:, 2:]
        left = np.abs(along[:-2] - 2 * along[1:-1] + along[2:]).ravel()
        sizes.append(left[left > 0])
        looked_at += len(left)
    found = np.concatenate(sizes) if sizes else np.empty(0)
    if 2 * len(found) <= looked_at:
        return 0.0
    return float(np.median(found)) / (MASK_GAIN * MEDIAN_SIZE)
