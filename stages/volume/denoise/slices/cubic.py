"""Thin slices by cubic convolution."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]


class CubicSlices:
    """Thin slices by cubic convolution (Keys 1981, a = −½) across slices.

    Attributes:
        halo: slices around a slab that it looks at.
    """

    halo = 2

    def __call__(self, thick_khw: Array, factor: int) -> Array:
        """Thin slices (k · factor, h, w) of thick ones (k, h, w)."""
        count = len(thick_khw)
        padded = np.pad(thick_khw, [(self.halo, self.halo), (0, 0), (0, 0)], mode="edge")
        thin_khw = np.empty((count * factor, *thick_khw.shape[1:]), np.float32)
        for index in range(factor):
            place = (index + 0.5) / factor - 0.5  # from a thick slice's middle
            first = -1 if place >= 0 else -2
            total = np.zeros_like(thick_khw)
            for offset in range(first, first + 4):
                start = self.halo + offset
                total += np.float32(kernel(offset - place)) * padded[start : start + count]
            thin_khw[index::factor] = total
        return thin_khw


def kernel(distance: float) -> float:
    """What a slice counts at a distance in slices."""
    x = abs(distance)
    if x <= 1:
        return 1.5 * x**3 - 2.5 * x**2 + 1
    return -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2 if x < 2 else 0.0
