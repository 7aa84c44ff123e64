"""NRRD, `.nrrd` and `.nhdr` (http://teem.sourceforge.net/nrrd/format.html)."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mvrecon.errors import InputError
from mvrecon.formats.slabs import Shape
from mvrecon.formats.volumes.raw import RawBlock, beside, numbers, whole
from mvrecon.formats.volumes.source import VolumeSource, check_grid, stored_dtype

TYPES = {
    "i1": ("signed char", "int8", "int8_t"),
    "u1": ("uchar", "unsigned char", "uint8", "uint8_t"),
    "i2": ("short", "short int", "signed short", "signed short int", "int16", "int16_t"),
    "u2": ("ushort", "unsigned short", "unsigned short int", "uint16", "uint16_t"),
    "i4": ("int", "signed int", "int32", "int32_t"),
    "u4": ("uint", "unsigned int", "uint32", "uint32_t"),
    "i8": ("longlong", "long long", "int64", "int64_t"),
    "u8": ("ulonglong", "unsigned long long", "uint64", "uint64_t"),
    "f4": ("float",),
    "f8": ("double",),
}
COMPRESSIONS = {
    "raw": "none",
    "gzip": "gzip",
    "gz": "gzip",
    "bzip2": "bzip2",
    "bz2": "bzip2",
}
# Signs that bring a space to right, anterior, superior.
RAS_SIGNS = {
    "right-anterior-superior": (1, 1, 1),
    "ras": (1, 1, 1),
    "left-anterior-superior": (-1, 1, 1),
    "las": (-1, 1, 1),
    "left-posterior-superior": (-1, -1, 1),
    "lps": (-1, -1, 1),
}
MAX_LINES = 1000


def open_nrrd(path: Path, scratch: Path) -> VolumeSource:
    """Open an NRRD file.

    Args:
        path: `.nrrd`, or `.nhdr` with its numbers in a file beside it.
        scratch: where compressed numbers are unpacked.

    Raises:
        InputError: it is damaged, or of a kind that is not read.
    """
    header, end = _header(path)
    name = path.name
    kind = next((k for k, names in TYPES.items() if header.get("type", "") in names), None)
    encoding = COMPRESSIONS.get(header.get("encoding", "").lower())
    if header.get("dimension") != "3" or kind is None or encoding is None:
        raise InputError(
            f"{name} is no volume of three dimensions with one number a voxel (dimension "
            f"{header.get('dimension')}, type {header.get('type')}, "
            f"encoding {header.get('encoding')})",
            "Convert it to one, raw or gzip",
        )
    columns, rows, slices = numbers(header.get("sizes", ""), 3, "sizes", name).astype(int)
    shape_kji: Shape = int(slices), int(rows), int(columns)
    ras_from_ijk_44, warnings = _grid(header, name)
    check_grid(shape_kji, ras_from_ijk_44, name)
    dtype = np.dtype(kind).newbyteorder(">" if header.get("endian") == "big" else "<")
    block = RawBlock(*_place(path, header, end, encoding), dtype, encoding)
    return VolumeSource(
        format="NRRD",
        shape_kji=shape_kji,
        ras_from_ijk_44=ras_from_ijk_44,
        dtype=stored_dtype(dtype, 1.0, 0.0),
        values="intensity",
        slabs=block.slabs(shape_kji, scratch),
        warnings=warnings,
    )


def _header(path: Path) -> tuple[dict[str, str], int]:
    """Fields by name, and the bytes up to the empty line that ends them."""
    header: dict[str, str] = {}
    with path.open("rb") as file:
        if not file.readline(16).startswith(b"NRRD"):
            raise InputError(f"{path.name} is not an NRRD file", "Give another file")
        for _ in range(MAX_LINES):
            line = file.readline(1 << 16).decode("latin-1")
            text = line.strip()
            if not text:
                return header, file.tell()
            # `key:=value` is a remark of the writer's.
            field, colon, value = text.partition(": ")
            if colon and not text.startswith("#") and ":=" not in field:
                header[field.lower()] = value.strip()
    raise InputError(f"{path.name} has no complete NRRD header", "Export it again")


def _grid(header: dict[str, str], name: str) -> tuple[NDArray[np.float64], tuple[str, ...]]:
    ras_from_ijk_44 = np.eye(4)
    space = header.get("space", "").lower()
    if space not in RAS_SIGNS:
        if "space directions" in header or "spacings" not in header:
            raise InputError(
                f"{name} is in the space {space or 'of no name'}, not one of a patient",
                f"Export it in one of {', '.join(list(RAS_SIGNS)[::2])}",
            )
        spacings_3 = numbers(header["spacings"], 3, "spacings", name)
        unplaced = "The file does not say how the patient lies: left and right may be wrong."
        ras_from_ijk_44[:3, :3] = np.diag(spacings_3)
        return ras_from_ijk_44, (unplaced,)
    signs_3 = np.array(RAS_SIGNS[space], np.float64)
    directions = _plain(header.get("space directions", ""))
    axes_33 = numbers(directions, 9, "space directions", name).reshape(3, 3)
    origin_3 = numbers(_plain(header.get("space origin", "0 0 0")), 3, "space origin", name)
    ras_from_ijk_44[:3, :3] = signs_3[:, None] * axes_33.T
    ras_from_ijk_44[:3, 3] = signs_3 * origin_3
    return ras_from_ijk_44, ()


def _plain(vectors: str) -> str:
    """`(a,b,c) (d,e,f)` as numbers with blanks between them."""
    return re.sub(r"[(),]", " ", vectors)


def _place(path: Path, header: dict[str, str], end: int, encoding: str) -> tuple[Path, int]:
    where = header.get("data file", header.get("datafile"))
    lines = header.get("line skip", header.get("lineskip", "0"))
    if whole(lines, "line skip", path.name) != 0:
        raise InputError(f"{path.name} asks to skip lines, which is not read", "Export it again")
    skip = whole(header.get("byte skip", header.get("byteskip", "0")), "byte skip", path.name)
    if where is None:
        return path, end + skip if skip >= 0 else -1
    data = beside(path, where)
    if data is None:
        raise InputError(
            f"{path.name}: its values should be in the file beside it {where!r}",
            "Put it there, or save as .nrrd",
        )
    # Bytes are skipped after unpacking, so a compressed file with a skip is not what we read.
    return data, skip if skip >= 0 else -1
