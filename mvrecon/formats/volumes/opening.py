"""Opens a volume of any format that is read, by name or by content."""

from __future__ import annotations

from pathlib import Path

from mvrecon.errors import InputError
from mvrecon.formats.volumes.dicom import DicomOptions, open_dicom
from mvrecon.formats.volumes.meta_image import open_meta_image
from mvrecon.formats.volumes.nifti import open_nifti
from mvrecon.formats.volumes.nrrd import open_nrrd
from mvrecon.formats.volumes.source import VolumeSource

DICOM_MARK, DICOM_MARK_AT = b"DICM", 128
NIBABEL_SUFFIXES = (
    ".nii", ".nii.gz", ".hdr", ".img", ".mgh", ".mgz", ".mnc", ".par", ".rec", ".head", ".brik",
    ".brik.gz",
)  # fmt: skip


def open_volume(path: Path, scratch: Path, volume: int, dicom: DicomOptions) -> VolumeSource:
    """Open a volume.

    Args:
        path: a file, or a folder with a DICOM series.
        scratch: a folder for what has to be unpacked; needed as long as the volume is read.
        volume: which one of a file of four dimensions, from 0.
        dicom: how a series is chosen.

    Raises:
        InputError: it cannot be read, or is of no known format.
        UsageError: what reads it is not installed, or a choice is missing.
    """
    name = path.name.lower()
    if path.is_dir():
        return open_dicom(path, dicom)
    if not path.is_file():
        raise InputError(f"{path} is neither a file nor a folder", "Check the path")
    if name.endswith((".mha", ".mhd")):
        return open_meta_image(path, scratch)
    if name.endswith((".nrrd", ".nhdr")):
        return open_nrrd(path, scratch)
    if name.endswith(NIBABEL_SUFFIXES):
        return open_nifti(path, scratch, volume)
    if name.endswith((".dcm", ".ima")) or _is_dicom(path):
        return open_dicom(path, dicom)
    raise InputError(
        f"{path.name} is of no format that is read as a volume",
        "Give NIfTI (.nii, .nii.gz), a folder with a DICOM series, MetaImage (.mha) or NRRD",
    )


def _is_dicom(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(DICOM_MARK_AT + len(DICOM_MARK)).endswith(DICOM_MARK)
