"""What every reader of volumes gives: a grid in millimetres, and its values slab by slab."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mvrecon.errors import InputError, UsageError
from mvrecon.formats.slabs import Shape

# What the values are: Hounsfield units, labels, or brightness in units of the device's own.
Values = Literal["hounsfield", "labels", "intensity"]
RAS_FROM_LPS_44 = np.diag([-1.0, -1.0, 1.0, 1.0])


@dataclass(frozen=True)
class VolumeSource:
    """A volume that was found, its values still in its files.

    Attributes:
        format: what it was read from, in a word or two.
        shape_kji: slices, rows, columns.
        ras_from_ijk_44: from (column, row, slice, 1), voxel centres at integers, to millimetres to
            the patient's right, front and head. Its columns need not be orthogonal.
        dtype: int16 or float32.
        values: what they are, as far as the files say.
        slabs: gives the values (k, j, i) of some slices after the other.
        warnings: one sentence each.
    """

    format: str
    shape_kji: Shape
    ras_from_ijk_44: NDArray[np.float64]
    dtype: np.dtype[Any]
    values: Values
    slabs: Callable[[], Iterator[NDArray[Any]]]
    warnings: tuple[str, ...] = ()


def optional_module(name: str, package: str) -> Any:
    """A module of the `medical` extra.

    Raises:
        UsageError: it is not installed.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise UsageError(
            f"{package} is not installed, which volumes need", "pip install 'mvrecon[medical]'"
        ) from error


@contextmanager
def quiet() -> Iterator[None]:
    """Without warnings of libraries, which quote headers."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def check_grid(shape_kji: Shape, ras_from_ijk_44: NDArray[np.float64], name: str) -> None:
    """Refuse a grid that no volume can have.

    Raises:
        InputError: an empty axis, or axes that span no volume.
    """
    if min(shape_kji) < 1:
        raise InputError(f"{name} holds no voxels (shape {shape_kji})", "Export it again")
    lengths_3 = np.linalg.norm(ras_from_ijk_44[:3, :3], axis=0)
    spanned = abs(np.linalg.det(ras_from_ijk_44[:3, :3]))
    # A thousandth of a box of the same edges: far more slanted than any gantry tilts.
    if not np.all(np.isfinite(ras_from_ijk_44)) or spanned <= 1e-3 * lengths_3.prod():
        raise InputError(
            f"{name} gives its voxels no volume (spacing or orientation is missing or damaged)",
            "Export it again, with its geometry",
        )


def stored_dtype(kind: np.dtype[Any], slope: float, offset: float) -> np.dtype[Any]:
    """int16 if scaled whole numbers surely fit it, else float32."""
    if kind.kind in "iub" and kind.itemsize <= 2 and slope == round(slope):
        limits = np.iinfo(kind) if kind.kind != "b" else np.iinfo(np.uint8)
        ends = [slope * float(end) + offset for end in (limits.min, limits.max)]
        allowed = np.iinfo(np.int16)
        if offset == round(offset) and allowed.min <= min(ends) and max(ends) <= allowed.max:
            return np.dtype(np.int16)
    return np.dtype(np.float32)
