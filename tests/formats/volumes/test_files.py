"""NIfTI, MetaImage and NRRD: values, millimetres, orientation, and damage."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from numpy.typing import NDArray

from mvrecon.errors import InputError, UsageError
from mvrecon.formats.volumes import source as sources
from mvrecon.formats.volumes.dicom import DicomOptions
from mvrecon.formats.volumes.opening import open_volume
from mvrecon.formats.volumes.source import VolumeSource

VALUES = np.random.default_rng(1).integers(-900, 900, (5, 4, 3)).astype(np.int16)
# Columns go to the patient's left and back, rows to the front, slices to the feet.
RAS_FROM_IJK_44 = np.array(
    [[-0.6, 0.1, 0.0, 9.0], [-0.2, 0.7, 0.0, -8.0], [0.0, 0.0, -2.5, 70.0], [0.0, 0.0, 0.0, 1.0]]
)


def nifti(path: Path) -> None:
    image = nibabel.Nifti1Image(VALUES.transpose(2, 1, 0), RAS_FROM_IJK_44)
    nibabel.save(image, path)


def metres(path: Path) -> None:
    image = nibabel.Nifti1Image(
        VALUES.transpose(2, 1, 0), np.diag([1e-3, 1e-3, 1e-3, 1]) @ RAS_FROM_IJK_44
    )
    image.header.set_xyzt_units("meter")
    nibabel.save(image, path)


def meta_image(path: Path, packed: bool = False, big: bool = False) -> None:
    lps_44 = np.diag([-1, -1, 1, 1]) @ RAS_FROM_IJK_44
    spacing = np.linalg.norm(lps_44[:3, :3], axis=0)
    axes = (lps_44[:3, :3] / spacing).T.ravel()
    data = VALUES.astype(">i2" if big else "<i2").tobytes()
    data = zlib.compress(data) if packed else data
    local = path.suffix == ".mha"
    header = (
        "ObjectType = Image\nNDims = 3\nBinaryData = True\n"
        f"BinaryDataByteOrderMSB = {big}\nCompressedData = {packed}\n"
        f"TransformMatrix = {' '.join(map(str, axes))}\n"
        f"Offset = {' '.join(map(str, lps_44[:3, 3]))}\n"
        f"ElementSpacing = {' '.join(map(str, spacing))}\nDimSize = 3 4 5\n"
        f"ElementType = MET_SHORT\nElementDataFile = {'LOCAL' if local else 'numbers.raw'}\n"
    )
    path.write_bytes(header.encode() + (data if local else b""))
    if not local:
        path.with_name("numbers.raw").write_bytes(data)


def nrrd(path: Path, packed: bool = False) -> None:
    axes = " ".join(f"({','.join(map(str, axis))})" for axis in RAS_FROM_IJK_44[:3, :3].T)
    origin = ",".join(map(str, RAS_FROM_IJK_44[:3, 3]))
    data = VALUES.astype("<i2").tobytes()
    header = (
        "NRRD0004\n# a remark\ntype: short\ndimension: 3\nspace: right-anterior-superior\n"
        f"sizes: 3 4 5\nspace directions: {axes}\nkinds: domain domain domain\nendian: little\n"
        f"encoding: {'gzip' if packed else 'raw'}\nspace origin: ({origin})\nkey:=value\n\n"
    )
    path.write_bytes(header.encode() + (gzip.compress(data) if packed else data))


def opened(path: Path, volume: int = 0) -> tuple[VolumeSource, NDArray[Any]]:
    scratch = path.with_name("scratch")
    scratch.mkdir(exist_ok=True)
    source = open_volume(path, scratch, volume, DicomOptions())
    return source, np.concatenate(list(source.slabs()))


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("a.nii", nifti),
        ("a.nii.gz", nifti),
        ("in_metres.nii", metres),
        ("a.mha", meta_image),
        ("a.mha", lambda path: meta_image(path, packed=True)),
        ("a.mha", lambda path: meta_image(path, big=True)),
        ("a.mhd", meta_image),
        ("a.nrrd", nrrd),
        ("a.nrrd", lambda path: nrrd(path, packed=True)),
    ],
)
def test_values_and_their_places(tmp_path: Path, name: str, write: Callable[[Path], None]) -> None:
    write(tmp_path / name)
    source, values = opened(tmp_path / name)
    np.testing.assert_array_equal(values.astype(source.dtype), VALUES)
    np.testing.assert_allclose(source.ras_from_ijk_44, RAS_FROM_IJK_44, atol=1e-5)
    assert source.dtype == np.int16


def test_scaled_values_are_not_rounded(tmp_path: Path) -> None:
    image = nibabel.Nifti1Image(VALUES.transpose(2, 1, 0), RAS_FROM_IJK_44)
    image.header.set_slope_inter(0.25, 3.0)
    nibabel.save(image, tmp_path / "a.nii")
    source, values = opened(tmp_path / "a.nii")
    assert source.dtype == np.float32
    stored = nibabel.load(tmp_path / "a.nii").get_fdata().transpose(2, 1, 0)
    np.testing.assert_allclose(values, stored)


def test_one_volume_of_several(tmp_path: Path) -> None:
    several = np.stack([VALUES.transpose(2, 1, 0) + n for n in range(3)], axis=3)
    nibabel.save(nibabel.Nifti1Image(several, RAS_FROM_IJK_44), tmp_path / "a.nii")
    source, values = opened(tmp_path / "a.nii", volume=2)
    np.testing.assert_array_equal(values, VALUES + 2)
    assert "Volume 2 of 3" in source.warnings[0]
    with pytest.raises(InputError, match="holds 3 volumes"):
        opened(tmp_path / "a.nii", volume=3)


def test_a_map_of_labels_is_known_by_its_header(tmp_path: Path) -> None:
    image = nibabel.Nifti1Image(VALUES.transpose(2, 1, 0), RAS_FROM_IJK_44)
    image.header.set_intent("label")
    nibabel.save(image, tmp_path / "a.nii")
    assert opened(tmp_path / "a.nii")[0].values == "labels"


@pytest.mark.parametrize(
    ("name", "write"),
    [("a.nii", nifti), ("a.nii.gz", nifti), ("a.mha", meta_image), ("a.nrrd", nrrd)],
)
def test_a_file_that_is_cut_short_is_told_in_one_line(
    tmp_path: Path, name: str, write: Callable[[Path], None]
) -> None:
    path = tmp_path / name
    write(path)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(InputError) as caught:
        opened(path)
    assert name in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["a.nii", "a.mha", "a.nrrd", "a.dcm", "a.txt", "a.nii.gz"])
def test_what_is_no_volume_is_told_in_one_line(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"no volume\nat all " * 40)
    with pytest.raises(InputError) as caught:
        opened(tmp_path / name)
    assert "\n" not in str(caught.value)


def test_voxels_without_a_volume_are_refused(tmp_path: Path) -> None:
    text = "NDims = 3\nDimSize = 3 4 5\nElementSpacing = 1 0 1\nElementType = MET_SHORT\n"
    (tmp_path / "a.mha").write_bytes(text.encode() + b"ElementDataFile = LOCAL\n" + bytes(120))
    with pytest.raises(InputError, match="no volume"):
        opened(tmp_path / "a.mha")


def test_a_missing_package_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ImportError(name)

    nifti(tmp_path / "a.nii")
    monkeypatch.setattr(sources.importlib, "import_module", missing)
    with pytest.raises(UsageError, match=r"nibabel is not installed.*mvrecon\[medical\]"):
        opened(tmp_path / "a.nii")
    with pytest.raises(UsageError, match=r"pydicom is not installed.*mvrecon\[medical\]"):
        opened(tmp_path)
