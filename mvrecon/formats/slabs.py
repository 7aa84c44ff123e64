"""Three-dimensional arrays on disk (`.npy`), written and read some slices at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

# Of one slab of values of 4 bytes: a few of them fit where a whole volume does not.
SLAB_BYTES = 32 << 20

Shape = tuple[int, int, int]


class SlabFile:
    """A stored array (k, j, i), of which only what is asked for is in memory."""

    def __init__(self, path: Path) -> None:
        self.path = path
        mapped = self._map()
        self.shape: Shape = mapped.shape[0], mapped.shape[1], mapped.shape[2]
        self.dtype = mapped.dtype

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """A copy of the slices `start` to `stop`, cut to those that there are."""
        # Mapped anew each time, as pages of a mapping that stays count as memory in use.
        return np.array(self._map()[max(start, 0) : stop])

    def slabs(self, halo: int = 0) -> Iterator[tuple[slice, NDArray[Any]]]:
        """All slices in order, in slabs with up to `halo` slices more on both sides.

        Yields:
            The slices that the slab is for, and the values with the halo.
        """
        for start, stop in slab_ranges(self.shape):
            yield slice(start, stop), self.read(start - halo, stop + halo)

    def _map(self) -> NDArray[Any]:
        return np.load(self.path, mmap_mode="r")  # type: ignore[no-any-return]


def slab_ranges(shape_kji: Shape) -> list[tuple[int, int]]:
    """First and last slice (exclusive) of the slabs of an array."""
    slices, rows, columns = shape_kji
    thickness = max(1, SLAB_BYTES // (4 * rows * columns))
    return [(start, min(start + thickness, slices)) for start in range(0, slices, thickness)]


def write_slabs(
    path: Path, shape_kji: Shape, dtype: DTypeLike, slabs: Iterable[NDArray[Any]]
) -> None:
    """Write an array whose slices come one slab after the other.

    Raises:
        ValueError: the slabs are more or fewer than the shape says.
    """
    kind = np.dtype(dtype)
    header = {"descr": kind.str, "fortran_order": False, "shape": tuple(shape_kji)}
    written = 0
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        for slab in slabs:
            file.write(np.ascontiguousarray(slab, kind).tobytes())
            written += slab.shape[0]
    if written != shape_kji[0]:
        raise ValueError(f"{written} slices instead of {shape_kji[0]}")
