"""MetaImage, `.mha` and `.mhd` (ITK's own format; its world is LPS)."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mvrecon.errors import InputError
from mvrecon.formats.slabs import Shape
from mvrecon.formats.volumes.raw import RawBlock, beside, numbers, whole
from mvrecon.formats.volumes.source import (
    RAS_FROM_LPS_44,
    VolumeSource,
    check_grid,
    stored_dtype,
)

TYPES = {
    "MET_CHAR": "i1",
    "MET_UCHAR": "u1",
    "MET_SHORT": "i2",
    "MET_USHORT": "u2",
    "MET_INT": "i4",
    "MET_UINT": "u4",
    "MET_LONG_LONG": "i8",
    "MET_ULONG_LONG": "u8",
    "MET_FLOAT": "f4",
    "MET_DOUBLE": "f8",
}
LAST_KEY = "ElementDataFile"
MAX_LINES = 200  # of a header; a file without its last key would be read to its end


def open_meta_image(path: Path, scratch: Path) -> VolumeSource:
    """Open a MetaImage file.

    Args:
        path: `.mha`, or `.mhd` with its numbers in a file beside it.
        scratch: where compressed numbers are unpacked.

    Raises:
        InputError: it is damaged, or of a kind that is not read.
    """
    header, end = _header(path)
    name = path.name
    element = header.get("ElementType", "")
    channels = header.get("ElementNumberOfChannels", "1")
    if header.get("NDims") != "3" or channels != "1" or element not in TYPES:
        raise InputError(
            f"{name} is no volume of three dimensions with one number a voxel "
            f"(NDims {header.get('NDims')}, {element or 'no ElementType'} × {channels})",
            "Convert it to one",
        )
    columns, rows, slices = numbers(header.get("DimSize", ""), 3, "DimSize", name).astype(int)
    shape_kji: Shape = int(slices), int(rows), int(columns)
    spacing = header.get("ElementSpacing") or header.get("ElementSize") or "1 1 1"
    matrix = _first(header, "TransformMatrix", "Rotation", "Orientation") or "1 0 0 0 1 0 0 0 1"
    origin = _first(header, "Offset", "Position", "Origin") or "0 0 0"
    lps_from_ijk_44 = np.eye(4)
    # Its lines are the axes.
    axes_33 = numbers(matrix, 9, "TransformMatrix", name).reshape(3, 3).T
    lps_from_ijk_44[:3, :3] = axes_33 * numbers(spacing, 3, "ElementSpacing", name)
    lps_from_ijk_44[:3, 3] = numbers(origin, 3, "Offset", name)
    ras_from_ijk_44 = RAS_FROM_LPS_44 @ lps_from_ijk_44
    check_grid(shape_kji, ras_from_ijk_44, name)
    block = _block(path, header, end, TYPES[element])
    return VolumeSource(
        format="MetaImage",
        shape_kji=shape_kji,
        ras_from_ijk_44=ras_from_ijk_44,
        dtype=stored_dtype(block.dtype, 1.0, 0.0),
        values="intensity",
        slabs=block.slabs(shape_kji, scratch),
    )


def _header(path: Path) -> tuple[dict[str, str], int]:
    """Keys and values, and the bytes that they take."""
    header: dict[str, str] = {}
    with path.open("rb") as file:
        for _ in range(MAX_LINES):
            key, equals, value = file.readline(4096).decode("latin-1").partition("=")
            if not equals:
                break
            header[key.strip()] = value.strip()
            if key.strip() == LAST_KEY:
                return header, file.tell()
    raise InputError(f"{path.name} has no complete MetaImage header", "Export it again")


def _first(header: dict[str, str], *keys: str) -> str | None:
    return next((header[key] for key in keys if key in header), None)


def _block(path: Path, header: dict[str, str], end: int, kind: str) -> RawBlock:
    big = _first(header, "BinaryDataByteOrderMSB", "ElementByteOrderMSB") or "False"
    dtype = np.dtype(kind).newbyteorder(">" if big.lower() == "true" else "<")
    packed = header.get("CompressedData", "False").lower() == "true"
    compression = "zlib" if packed else "none"
    where = header[LAST_KEY]
    if where.upper() == "LOCAL":
        return RawBlock(path, end, dtype, compression)
    data = beside(path, where)
    if where.upper().startswith("LIST") or "%" in where or data is None:
        raise InputError(
            f"{path.name}: its values should be in one file beside it, {where!r} is not there",
            "Put it there, or save as .mha",
        )
    return RawBlock(
        data, whole(header.get("HeaderSize", "0"), "HeaderSize", path.name), dtype, compression
    )
