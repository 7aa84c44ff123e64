"""NIfTI, and the other formats that nibabel reads (Analyze, MGH, MINC, PAR/REC, AFNI)."""

from __future__ import annotations

import gzip
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mvrecon.errors import InputError
from mvrecon.formats.slabs import Shape, slab_ranges
from mvrecon.formats.volumes.source import (
    Values,
    VolumeSource,
    check_grid,
    optional_module,
    quiet,
    stored_dtype,
)

MM_PER_UNIT = {"meter": 1000.0, "micron": 0.001}
LABEL_INTENT = "label"


def open_nifti(path: Path, scratch: Path, volume: int) -> VolumeSource:
    """Open a file that nibabel reads.

    Args:
        path: the file.
        scratch: where a compressed NIfTI file is unpacked, as its slabs are read one by one.
        volume: which volume of a file of four dimensions, from 0.

    Raises:
        InputError: it cannot be read, or holds no volume of numbers.
        UsageError: nibabel is not installed, or there is no such volume.
    """
    nibabel = optional_module("nibabel", "nibabel")
    try:
        with quiet():
            image = nibabel.load(_unpacked(path, scratch))
            # Damaged headers are noticed as late as here.
            shape, affine_44 = tuple(image.shape), image.affine
            kind = np.dtype(image.get_data_dtype())
    except Exception as error:  # nibabel raises nearly anything for damaged files
        raise _unreadable(path, error) from error
    if kind.kind not in "iufb" or len(shape) not in (2, 3, 4) or affine_44 is None:
        raise InputError(
            f"{path.name} is no volume of plain numbers (shape {shape}, {kind})",
            "Give one of three dimensions with one number a voxel",
        )
    spatial = (*shape[:3], 1)[:3]
    volumes = shape[3] if len(shape) == 4 else 1
    if volume >= volumes:
        raise InputError(
            f"{path.name} holds {volumes} volumes, numbered from 0", "Choose with --load.volume"
        )
    shape_kji: Shape = int(spatial[2]), int(spatial[1]), int(spatial[0])
    affine_44 = _in_mm(image, np.asarray(affine_44, np.float64))
    check_grid(shape_kji, affine_44, path.name)
    proxy = image.dataobj

    def slabs() -> Iterator[NDArray[Any]]:
        for start, stop in slab_ranges(shape_kji):
            where = (slice(None), slice(None), slice(start, stop), volume)[: len(shape)]
            try:
                values = np.asarray(proxy[where]).reshape(*spatial[:2], stop - start)
            except Exception as error:  # cut short, or damaged inside
                raise _unreadable(path, error) from error
            yield values.transpose(2, 1, 0)

    return VolumeSource(
        format=type(image).__name__.removesuffix("Image").removesuffix("Pair"),
        shape_kji=shape_kji,
        ras_from_ijk_44=affine_44,
        dtype=_dtype(image, kind),
        values=_values(image),
        slabs=slabs,
        warnings=_warnings(image, volumes, volume),
    )


def _unpacked(path: Path, scratch: Path) -> Path:
    """A copy that can be read in any order; what is not compressed NIfTI stays as it is."""
    if path.name.lower().endswith(".nii.gz"):
        copy = scratch / "unpacked.nii"
        with gzip.open(path) as packed, copy.open("wb") as plain:
            shutil.copyfileobj(packed, plain)
        return copy
    return path


def _in_mm(image: Any, affine_44: NDArray[np.float64]) -> NDArray[np.float64]:
    units = getattr(image.header, "get_xyzt_units", lambda: ("mm", ""))()[0]
    affine_44[:3] *= MM_PER_UNIT.get(units, 1.0)
    return affine_44


def _dtype(image: Any, kind: np.dtype[Any]) -> np.dtype[Any]:
    slope, offset = getattr(image.dataobj, "slope", 1.0), getattr(image.dataobj, "inter", 0.0)
    if np.ndim(slope) or np.ndim(offset):  # one for each slice
        return np.dtype(np.float32)
    return stored_dtype(kind, float(slope), float(offset))


def _values(image: Any) -> Values:
    intent = getattr(image.header, "get_intent", lambda: ("none",))()[0]
    return "labels" if intent == LABEL_INTENT else "intensity"


def _warnings(image: Any, volumes: int, volume: int) -> tuple[str, ...]:
    warnings = []
    if volumes > 1:
        warnings.append(f"Volume {volume} of {volumes} is taken; --load.volume chooses another.")
    get = getattr(image.header, "get", lambda name, default: default)
    if all(int(get(name, 1)) == 0 for name in ("sform_code", "qform_code")):
        warnings.append("The file does not say how the patient lies: left and right may be wrong.")
    return tuple(warnings)


def _unreadable(path: Path, error: Exception) -> InputError:
    if isinstance(error, FileNotFoundError):
        return InputError(
            f"a file that {path.name} refers to is not there", "Put it beside it, or give NIfTI"
        )
    # The kind of error only: texts of libraries may quote what the header holds.
    return InputError(
        f"{path.name} cannot be read as a volume ({type(error).__name__})",
        "Check that it is complete and of a known format",
    )
