"""SliceNet on volumes of any size: tile by tile, with as much around each as it looks at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from mvrecon.learning.precision import UsedPrecision, autocast
from mvrecon.learning.weights import load_weights
from stages.volume.denoise.slices.network import SliceNet, SliceNetSettings

Array = NDArray[np.float32]
# Of slices, rows, columns: larger ones need more memory, smaller ones see more voxels twice.
TILE_KJI = (32, 160, 160)


class LearnedSlices:
    """Thin slices by the network.

    Args:
        network: with its weights.
        noise: standard deviation, in the unit of the values.
        precision: number format that it computes in.

    Attributes:
        halo: slices around a slab that it looks at.
    """

    def __init__(self, network: SliceNet, noise: float, precision: UsedPrecision) -> None:
        self.network, self.noise, self.precision = network, noise, precision
        self.halo = network.settings.reach_kji[0]

    @torch.no_grad()
    def __call__(self, thick_khw: Array, factor: int) -> Array:
        """Thin slices (k · factor, h, w) of thick ones (k, h, w)."""
        slices, rows, columns = thick_khw.shape
        thin_khw = np.empty((slices * factor, rows, columns), np.float32)
        noise = torch.tensor([self.noise], dtype=torch.float32)
        for inner, outer in tiles(thick_khw.shape, self.network.settings.reach_kji):
            given = torch.from_numpy(thick_khw[outer])[None, None]
            with autocast(self.precision):
                found = self.network(given, noise, factor)[0].numpy()
            scales = (factor, 1, 1)
            cut = tuple(
                slice(scale * (i.start - o.start), scale * (i.stop - o.start))
                for i, o, scale in zip(inner, outer, scales, strict=True)
            )
            target = slice(factor * inner[0].start, factor * inner[0].stop)
            thin_khw[(target, *inner[1:])] = found[cut]
        return thin_khw


Box = tuple[slice, slice, slice]


def tiles(shape_kji: tuple[int, ...], reach_kji: tuple[int, ...]) -> Iterator[tuple[Box, Box]]:
    """Boxes that fill a volume, each with the box that has a reach around it too."""
    starts = (range(0, n, tile) for n, tile in zip(shape_kji, TILE_KJI, strict=True))
    for start_3 in product(*starts):
        inner, outer = [], []
        for start, length, tile, reach in zip(start_3, shape_kji, TILE_KJI, reach_kji, strict=True):
            stop = min(start + tile, length)
            inner.append(slice(start, stop))
            outer.append(slice(max(start - reach, 0), min(stop + reach, length)))
        yield (inner[0], inner[1], inner[2]), (outer[0], outer[1], outer[2])


def load_network(path: Path) -> SliceNet:
    """The network with its weights.

    Raises:
        UsageError: the file is missing or holds something else.
    """
    return load_weights(path, _build, "slices")[0]


def _build(sizes: Mapping[str, Any]) -> SliceNet:
    return SliceNet(SliceNetSettings(**{**sizes, "dilations": tuple(sizes["dilations"])}))
