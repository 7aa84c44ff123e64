"""Where the surface is sought: a field above zero inside, read some slices at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mvrecon.artifacts.volume import Part, off_zero
from mvrecon.formats.slabs import Shape, SlabFile

LABEL_LEVEL = np.float32(100)  # of a label's voxels, which know no fractions

Array = NDArray[np.float32]
Box = tuple[tuple[int, int], tuple[int, int], tuple[int, int]]


@dataclass(frozen=True)
class LevelField:
    """A field on a grid.

    Attributes:
        shape_kji: of the grid.
        box_kji: first and last (exclusive) slice, row and column with a value above zero.
        read: gives the slices `start` to `stop`.
        step: voxels of the volume to one of the grid.
        two_valued: whether it only tells inside from outside.
    """

    shape_kji: Shape
    box_kji: Box
    read: Callable[[int, int], Array]
    step: int = 1
    two_valued: bool = False

    @classmethod
    def of(cls, part: Part, volume: SlabFile) -> LevelField:
        """The field of a part, from its level or from the labels."""

        def read(start: int, stop: int) -> Array:
            values: NDArray[Any] = volume.read(start, stop)
            if part.label is None:
                return values.astype(np.float32)
            return np.where(values == part.label, LABEL_LEVEL, -LABEL_LEVEL)

        return cls(volume.shape, part.box_kji, read, two_valued=part.label is not None)

    def coarser(self) -> LevelField:
        """The means of blocks of 2 × 2 × 2 voxels."""
        slices, rows, columns = (-(-length // 2) for length in self.shape_kji)
        ends = [(low // 2, -(-high // 2)) for low, high in self.box_kji]

        def read(start: int, stop: int) -> Array:
            fine = self.read(2 * start, min(2 * stop, self.shape_kji[0]))
            fine = np.pad(fine, [(0, length % 2) for length in fine.shape], mode="edge")
            blocks = fine.reshape(len(fine) // 2, 2, rows, 2, columns, 2)
            return off_zero(blocks.mean(axis=(1, 3, 5), dtype=np.float32))

        return LevelField((slices, rows, columns), (ends[0], ends[1], ends[2]), read, 2 * self.step)

    def with_rim(self, start: int, stop: int) -> Array:
        """Planes `start` to `stop` of the box and one voxel around it.

        Outside of the volume the field is as far below zero as its edge is off it: what the edge
        cuts is closed by a cap, half a voxel beyond the last voxels' centres, where they end.

        Args:
            start: first slice; −1 lies outside of the volume.
            stop: last slice (exclusive), at most one outside of the volume.
        """
        slices = self.shape_kji[0]
        slab = self.read(max(start, 0), min(stop, slices))
        wanted, pads = [slice(None)], [(int(start < 0), int(stop > slices))]
        for (low, high), length in zip(self.box_kji[1:], self.shape_kji[1:], strict=True):
            wanted.append(slice(max(low - 1, 0), high + 1))
            pads.append((int(low == 0), int(high == length)))
        padded = np.pad(slab[tuple(wanted)], pads, mode="edge")
        for axis, (before, after) in enumerate(pads):
            planes = np.moveaxis(padded, axis, 0)
            if before:
                planes[0] = -np.abs(planes[0])
            if after:
                planes[-1] = -np.abs(planes[-1])
        return padded

    @property
    def rim_origin_kji(self) -> NDArray[np.float64]:
        """Voxel at which the box with its rim begins."""
        return np.array([low - 1.0 for low, _ in self.box_kji])
