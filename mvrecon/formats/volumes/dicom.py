"""DICOM: the slices of one series in a folder, or the frames of one file.

Of the headers, only numbers that place and scale the values are taken: no text of them reaches a
result, a message or a log, so that no patient is named there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mvrecon.errors import InputError, UsageError
from mvrecon.formats.slabs import Shape
from mvrecon.formats.volumes.dicom_frames import Frame, frames_of, is_image
from mvrecon.formats.volumes.dicom_grid import SliceGrid, arrange
from mvrecon.formats.volumes.source import (
    RAS_FROM_LPS_44,
    Values,
    VolumeSource,
    check_grid,
    optional_module,
    quiet,
    stored_dtype,
)

# Hounsfield units of nothing at all, as lower values pad a round field of view, and of more than
# any metal, so that they fit 16 bits.
HOUNSFIELD_LIMITS = (-1024, 32767)


@dataclass(frozen=True)
class DicomOptions:
    """How a series is chosen, and what is done where slices lie unevenly.

    Attributes:
        series: which of several in a folder, from 1; 0 = the only one.
        interpolate: fill gaps and even out spacing by interpolation between slices.
    """

    series: int = 0
    interpolate: bool = False


def open_dicom(path: Path, options: DicomOptions) -> VolumeSource:
    """Open a series.

    Args:
        path: a folder with the files of it, or a file.
        options: which series, and how strict.

    Raises:
        InputError: there is no series, or its slices make no volume.
        UsageError: pydicom is not installed, or the series has to be chosen.
    """
    optional_module("pydicom", "pydicom")
    with quiet():
        files = sorted(_visible_files(path)) if path.is_dir() else [path]
        frames = _one_series(path, [frame for file in files for frame in frames_of(file)], options)
        grid = arrange(frames, options.interpolate)
        first = frames[0]
        shape_kji: Shape = len(grid.mix), first.rows, first.columns
        ras_from_ijk_44 = RAS_FROM_LPS_44 @ grid.lps_from_ijk_44
        check_grid(shape_kji, ras_from_ijk_44, "the series")
    is_ct = all(frame.modality == "CT" for frame in frames)
    dtype = _common_dtype(grid, is_ct)
    values: Values = "hounsfield" if is_ct else "intensity"
    limits = HOUNSFIELD_LIMITS if is_ct else None

    def slabs() -> Iterator[NDArray[Any]]:
        with quiet():
            yield from _slices(grid, dtype, limits)

    return VolumeSource(
        format="DICOM",
        shape_kji=shape_kji,
        ras_from_ijk_44=ras_from_ijk_44,
        dtype=dtype,
        values=values,
        slabs=slabs,
        warnings=(*grid.warnings, *_path_warnings(path, first)),
    )


def _visible_files(folder: Path) -> Iterator[Path]:
    for file in folder.iterdir():
        if file.is_file() and not file.name.startswith(".") and file.name != "DICOMDIR":
            yield file


def _one_series(path: Path, frames: Sequence[Frame], options: DicomOptions) -> list[Frame]:
    """The frames of the series that is asked for."""
    if not frames:
        inner = [] if path.is_file() else _folders_with_images(path)
        raise InputError(
            f"{path.name} holds no DICOM images of one number a pixel, placed in space",
            f"Give a folder inside it, such as {inner[0]}" if inner else "Give another",
        )
    found: dict[tuple[int, str], list[Frame]] = {}
    for frame in frames:
        found.setdefault((frame.series_number, frame.series_uid), []).append(frame)
    series = [found[key] for key in sorted(found)]
    if len(series) == 1:
        return series[0]
    if not 1 <= options.series <= len(series):
        told = ", ".join(
            f"{index}: {len(one)} × {one[0].modality}" for index, one in enumerate(series, 1)
        )
        raise UsageError(
            f"{path.name} holds {len(series)} series ({told} slices)",
            "Choose one with --load.series NUMBER",
        )
    return series[options.series - 1]


def _folders_with_images(path: Path) -> list[Path]:
    inner = (folder for folder in sorted(path.rglob("*")) if folder.is_dir())
    return [folder for folder in inner if any(is_image(file) for file in _visible_files(folder))]


def _common_dtype(grid: SliceGrid, is_ct: bool) -> np.dtype[Any]:
    kinds = {stored_dtype(f.stored, f.slope, f.offset) for f in grid.frames}
    whole = kinds == {np.dtype(np.int16)} or (is_ct and all(f.is_whole for f in grid.frames))
    blended = any(share > 0 for _, _, share in grid.mix)
    return np.dtype(np.int16 if whole and not blended else np.float32)


def _slices(
    grid: SliceGrid, dtype: np.dtype[Any], limits: tuple[int, int] | None
) -> Iterator[NDArray[Any]]:
    """Each slice of the grid as a slab of one, blended from two where it lies between them."""
    recent: dict[int, NDArray[Any]] = {}
    for before, after, share in grid.mix:
        needed = (before, after) if share > 0 else (before,)
        recent = {row: recent[row] for row in needed if row in recent}
        for row in needed:
            if row not in recent:
                recent[row] = grid.frames[row].values()
        slice_hw = recent[before]
        if share > 0:
            slice_hw = (1.0 - share) * slice_hw + share * recent[after]
        if limits:
            slice_hw = np.clip(slice_hw.astype(np.float32), *limits)
        yield slice_hw.astype(dtype)[None]


def _path_warnings(path: Path, frame: Frame) -> Iterable[str]:
    """The run's record holds the path of the input, which may hold a name."""
    place = str(path.resolve()).lower()
    if any(word in place for word in frame.patient_words()):
        yield (
            "The input's path holds the patient's name or number, and run.json holds the path: "
            "rename the folder before you pass the run on."
        )
