"""One image of a DICOM file: where it lies and how its numbers are scaled."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mvrecon.errors import InputError

MIN_NAME_LETTERS = 3  # shorter parts of a name are in any path
# Of a name without its letters, as anonymised series have it.
NO_NAMES = {"anonymous", "anonymized", "anonymised", "anon", "patient", "test", "none", "unknown"}


@dataclass(frozen=True)
class Frame:
    """One slice.

    Attributes:
        path, index: the file, and which of its frames.
        rows, columns: of pixels.
        axes_32: unit vectors (LPS) along a row and down a column.
        position_3: of the first pixel's centre, LPS, millimetres.
        spacing_2: between columns, between rows, millimetres.
        thickness: of the slice, millimetres; None if it is not told.
        slope, offset: from stored values to the device's units.
        stored: type of the stored values.
        modality: `CT`, `MR`, …
        series_number, series_uid: of the series.
    """

    path: Path
    index: int
    rows: int
    columns: int
    axes_32: NDArray[np.float64]
    position_3: NDArray[np.float64]
    spacing_2: NDArray[np.float64]
    thickness: float | None
    slope: float
    offset: float
    stored: np.dtype[Any]
    modality: str
    series_number: int
    series_uid: str

    @property
    def is_whole(self) -> bool:
        """Whether scaled values are whole numbers."""
        return self.slope == round(self.slope) and self.offset == round(self.offset)

    def values(self) -> NDArray[Any]:
        """Scaled pixels (rows, columns).

        Raises:
            InputError: they are damaged, or compressed in a way that cannot be read here.
        """
        from pydicom.pixels.utils import iter_pixels

        try:
            pixels_hw = next(iter(iter_pixels(self.path, indices=[self.index])))
        except Exception as error:  # pydicom's decoders raise nearly anything
            raise InputError(
                f"the pixels of {self.path.name} cannot be read ({type(error).__name__})",
                "If they are compressed: pip install pylibjpeg[all]; else copy the file again",
            ) from error
        if pixels_hw.shape != (self.rows, self.columns):
            raise InputError(f"{self.path.name} has pixels of another shape", "Export it again")
        if (self.slope, self.offset) == (1.0, 0.0):
            return np.asarray(pixels_hw)
        return np.asarray(pixels_hw * self.slope + self.offset)

    def patient_words(self) -> list[str]:
        """Parts of the patient's name and number, in small letters, to look for, not to tell."""
        header = _header(self.path)
        text = f"{header.get('PatientName', '')} {header.get('PatientID', '')}".lower()
        words = set(re.findall(r"[^\W_]+", text)) - NO_NAMES
        return sorted(word for word in words if len(word) >= MIN_NAME_LETTERS)


def is_image(path: Path) -> bool:
    """Whether a file is DICOM with pixels that have a place."""
    return any(True for _ in frames_of(path))


def frames_of(path: Path) -> Iterator[Frame]:
    """The slices in a file; none if it is not DICOM, or no image that lies somewhere."""
    header = _header(path)
    if header is None or "Rows" not in header or header.get("SamplesPerPixel", 1) != 1:
        return
    count = int(header.get("NumberOfFrames", 1) or 1)
    for index in range(count):
        try:
            placed = _placed(path, header, index)
        except (AttributeError, KeyError, IndexError, TypeError, ValueError):
            return  # what a place is made of is missing or no number
        yield placed


def _header(path: Path) -> Any:
    import pydicom
    from pydicom.errors import InvalidDicomError

    try:
        return pydicom.dcmread(path, stop_before_pixels=True)
    except (InvalidDicomError, OSError, ValueError, KeyError, AttributeError, EOFError):
        return None


def _placed(path: Path, header: Any, index: int) -> Frame:
    axes_32 = np.array(_of(header, index, "ImageOrientationPatient"), np.float64).reshape(2, 3).T
    position_3 = np.array(_of(header, index, "ImagePositionPatient"), np.float64)
    if "GridFrameOffsetVector" in header:  # of a dose: frames above the first
        normal_3 = np.cross(axes_32[:, 0], axes_32[:, 1])
        offsets = [float(value) for value in header.GridFrameOffsetVector]
        position_3 = position_3 + normal_3 * (offsets[index] - offsets[0])
    rows_mm, columns_mm = (float(value) for value in _of(header, index, "PixelSpacing"))
    bits, signed = int(header.BitsAllocated), int(header.get("PixelRepresentation", 0))
    scaled = "DoseGridScaling" in header
    slope = header.DoseGridScaling if scaled else _of(header, index, "RescaleSlope", 1.0)
    return Frame(
        path=path,
        index=index,
        rows=int(header.Rows),
        columns=int(header.Columns),
        axes_32=axes_32,
        position_3=position_3,
        spacing_2=np.array([columns_mm, rows_mm]),
        thickness=_thickness(header, index),
        slope=float(slope),
        offset=float(_of(header, index, "RescaleIntercept", 0.0)),
        stored=np.dtype(f"{'i' if signed else 'u'}{max(bits // 8, 1)}"),
        modality=re.sub(r"\W", "", str(header.get("Modality", "")))[:4],
        series_number=int(header.get("SeriesNumber") or 0),
        series_uid=str(header.get("SeriesInstanceUID", "")),
    )


def _thickness(header: Any, index: int) -> float | None:
    for name in ("SpacingBetweenSlices", "SliceThickness"):
        value = _of(header, index, name, None)
        if value is not None and float(value) > 0:
            return float(value)
    return None


# Where frames of one file keep what a file of one slice has at its top.
GROUPS = {
    "ImageOrientationPatient": "PlaneOrientationSequence",
    "ImagePositionPatient": "PlanePositionSequence",
    "PixelSpacing": "PixelMeasuresSequence",
    "SliceThickness": "PixelMeasuresSequence",
    "SpacingBetweenSlices": "PixelMeasuresSequence",
    "RescaleSlope": "PixelValueTransformationSequence",
    "RescaleIntercept": "PixelValueTransformationSequence",
}
MISSING = object()


def _of(header: Any, index: int, name: str, default: Any = MISSING) -> Any:
    """An attribute of a frame, of all frames, or of the file."""
    places = [header]
    for sequence, row in (
        ("PerFrameFunctionalGroupsSequence", index),
        ("SharedFunctionalGroupsSequence", 0),
    ):
        if sequence in header:
            groups = header[sequence].value[row]
            if GROUPS[name] in groups:
                places.insert(0, groups[GROUPS[name]].value[0])
    for place in places:
        if name in place and place[name].value not in (None, ""):
            return place[name].value
    if default is MISSING:
        raise KeyError(name)
    return default
