"""Small volumes in the formats of the field."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

PATIENT = "Zylberquist^Oktavian"


def write_slice(
    path: Path,
    pixels_hw: NDArray[Any],
    lps_from_ijk_44: NDArray[Any],
    k: float,
    series: int = 1,
    **changes: Any,
) -> None:
    """One file of a CT series, of a named patient; values are Hounsfield units."""
    data = pydicom.Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.file_meta.MediaStorageSOPClassUID = CTImageStorage
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID = generate_uid()
    data.SOPClassUID = CTImageStorage
    data.PatientName, data.PatientID, data.Modality = PATIENT, "QX-778812", "CT"
    data.StudyDescription = f"Head of {PATIENT}"
    data.SeriesInstanceUID, data.SeriesNumber = f"1.2.3.{series}", series
    data.Rows, data.Columns = pixels_hw.shape
    axes = lps_from_ijk_44[:3, :2] / np.linalg.norm(lps_from_ijk_44[:3, :2], axis=0)
    data.ImageOrientationPatient = [f"{value:.10g}" for value in axes.T.ravel()]
    data.ImagePositionPatient = [f"{value:.10g}" for value in (lps_from_ijk_44 @ [0, 0, k, 1])[:3]]
    spacing = np.linalg.norm(lps_from_ijk_44[:3, :2], axis=0)
    data.PixelSpacing = [f"{spacing[1]:.10g}", f"{spacing[0]:.10g}"]
    data.SliceThickness = "2"
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.BitsAllocated = data.BitsStored = 16
    data.HighBit, data.PixelRepresentation = 15, 0
    data.RescaleSlope, data.RescaleIntercept = "1", "-1024"
    data.PixelData = (pixels_hw.astype(np.int32) + 1024).astype("<u2").tobytes()
    for name, value in changes.items():
        setattr(data, name, value)
    path.parent.mkdir(parents=True, exist_ok=True)
    data.save_as(path, enforce_file_format=True)


def write_series(
    folder: Path, volume_kji: NDArray[Any], lps_from_ijk_44: NDArray[Any], series: int = 1
) -> Path:
    """A series whose files are named in an order that is not that of their places."""
    names = np.random.default_rng(series).permutation(len(volume_kji))
    for k, pixels_hw in enumerate(volume_kji):
        write_slice(folder / f"{series}_{names[k]:03}", pixels_hw, lps_from_ijk_44, k, series)
    return folder
