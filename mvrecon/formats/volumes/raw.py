"""The block of numbers behind a text header, as MetaImage and NRRD have it."""

from __future__ import annotations

import bz2
import gzip
import shutil
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from mvrecon.errors import InputError
from mvrecon.formats.slabs import Shape, slab_ranges

CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class RawBlock:
    """Where the numbers are.

    Attributes:
        path: of the file that holds them.
        offset: bytes before them; −1 = they are the file's last bytes.
        dtype: with its byte order.
        compression: `none`, `zlib`, `gzip` or `bzip2`.
    """

    path: Path
    offset: int
    dtype: np.dtype[Any]
    compression: str = "none"

    def slabs(self, shape_kji: Shape, scratch: Path) -> Callable[[], Iterator[NDArray[Any]]]:
        """A function that yields the values slab by slab.

        Args:
            shape_kji: of the whole.
            scratch: where compressed numbers are unpacked.

        Raises:
            InputError: when it yields: they are cut short or damaged.
        """

        def read() -> Iterator[NDArray[Any]]:
            path, offset = self._plain(scratch)
            plane = shape_kji[1] * shape_kji[2]
            size = plane * shape_kji[0] * self.dtype.itemsize
            if offset < 0:
                offset = path.stat().st_size - size
            if offset < 0 or path.stat().st_size < offset + size:
                raise InputError(
                    f"{self.path.name} is cut short: it should hold {size} bytes of values",
                    "Copy or export it again",
                )
            with path.open("rb") as file:
                file.seek(offset)
                for start, stop in slab_ranges(shape_kji):
                    values = np.fromfile(file, self.dtype, plane * (stop - start))
                    yield values.reshape(stop - start, *shape_kji[1:])

        return read

    def _plain(self, scratch: Path) -> tuple[Path, int]:
        if self.compression == "none":
            return self.path, self.offset
        copy = scratch / "unpacked.raw"
        try:
            with self.path.open("rb") as packed, copy.open("wb") as plain:
                packed.seek(max(self.offset, 0))
                _unpack(packed, plain, self.compression)
        except (OSError, EOFError, zlib.error) as error:
            raise InputError(
                f"{self.path.name} cannot be unpacked ({self.compression})",
                "Copy or export it again",
            ) from error
        return copy, 0


def _unpack(packed: IO[bytes], plain: IO[bytes], compression: str) -> None:
    if compression == "gzip":
        shutil.copyfileobj(gzip.GzipFile(fileobj=packed), plain, CHUNK_BYTES)
    elif compression == "bzip2":
        shutil.copyfileobj(bz2.BZ2File(packed), plain, CHUNK_BYTES)
    else:
        unpacker = zlib.decompressobj()
        while chunk := packed.read(CHUNK_BYTES):
            plain.write(unpacker.decompress(chunk))
        plain.write(unpacker.flush())


def numbers(text: str, count: int, key: str, name: str) -> NDArray[np.float64]:
    """The numbers of a header's line.

    Raises:
        InputError: they are not numbers, or not as many.
    """
    try:
        values = np.array([float(word) for word in text.split()])
    except ValueError:
        values = np.empty(0)
    if len(values) != count:
        raise InputError(f"{name}: {key} should be {count} numbers", "Export it again")
    return values


def whole(text: str, key: str, name: str) -> int:
    """The whole number of a header's line.

    Raises:
        InputError: it is none.
    """
    try:
        return int(text)
    except ValueError:
        raise InputError(f"{name}: {key} should be a whole number", "Export it again") from None


def beside(path: Path, where: str) -> Path | None:
    """The file in a header's own folder, or below it, that it names; None if it is not there."""
    folder = path.parent.resolve()
    try:
        data = (folder / where).resolve()
        return data if data.is_relative_to(folder) and data.is_file() else None
    except (OSError, ValueError):  # no name of a file
        return None
