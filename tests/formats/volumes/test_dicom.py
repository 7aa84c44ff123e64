"""DICOM series: order, geometry, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from mvrecon.errors import InputError, UsageError
from mvrecon.formats.volumes.dicom import DicomOptions, open_dicom
from mvrecon.formats.volumes.source import RAS_FROM_LPS_44, VolumeSource
from tests.formats.volumes.files import PATIENT, write_series, write_slice

VALUES = np.random.default_rng(0).integers(-900, 900, (6, 5, 4)).astype(np.int16)


def grid(spacing: tuple[float, float, float] = (0.7, 0.8, 2.0)) -> NDArray[np.float64]:
    """An oblique one."""
    lps_from_ijk_44 = np.eye(4)
    turn = Rotation.from_euler("xyz", [10, -20, 30], degrees=True).as_matrix()
    lps_from_ijk_44[:3] = np.c_[turn * spacing, [-30.0, 12.0, 7.0]]
    return lps_from_ijk_44


def opened(path: Path, **options: Any) -> tuple[VolumeSource, NDArray[Any]]:
    source = open_dicom(path, DicomOptions(**options))
    return source, np.concatenate(list(source.slabs()))


def test_slices_are_sorted_by_where_they_lie(tmp_path: Path) -> None:
    source, values = opened(write_series(tmp_path, VALUES, grid()))
    assert source.shape_kji == VALUES.shape
    assert values.dtype == source.dtype == np.int16
    np.testing.assert_array_equal(values, VALUES)
    np.testing.assert_allclose(source.ras_from_ijk_44, RAS_FROM_LPS_44 @ grid(), atol=1e-6)
    assert source.values == "hounsfield" and not source.warnings


def test_a_tilted_gantry_is_a_slanted_grid(tmp_path: Path) -> None:
    slanted = grid()
    slanted[:3, 2] += 0.6 * slanted[:3, 1]
    source, values = opened(write_series(tmp_path, VALUES, slanted))
    np.testing.assert_allclose(source.ras_from_ijk_44, RAS_FROM_LPS_44 @ slanted, atol=1e-6)
    np.testing.assert_array_equal(values, VALUES)


def test_a_missing_slice_is_named_or_filled(tmp_path: Path) -> None:
    places = [0, 1, 3, 4, 5]
    ramp = 100 * np.arange(6)[:, None, None] + np.zeros((6, 5, 4))
    for k in places:
        write_slice(tmp_path / f"s{k}", ramp[k], grid(), k)
    with pytest.raises(InputError, match="1 slices seem to be missing between s1 and s3"):
        opened(tmp_path)
    source, values = opened(tmp_path, interpolate=True)
    np.testing.assert_allclose(values, ramp, atol=1e-3)
    assert "1 of 6 slices are interpolated" in source.warnings[0]


def test_uneven_spacing_is_refused_or_evened_out(tmp_path: Path) -> None:
    for k in (0, 1, 2.4, 3.4, 4.4, 6):
        write_slice(tmp_path / f"s{k}", np.full((5, 4), 100 * k), grid(), k)
    with pytest.raises(InputError, match=r"slices lie 2 to 3.2 mm apart"):
        opened(tmp_path)
    source, values = opened(tmp_path, interpolate=True)
    steps_mm = np.linalg.norm(source.ras_from_ijk_44[:3, 2])
    np.testing.assert_allclose(values[:, 0, 0], 100 * np.arange(len(values)) * steps_mm / 2, atol=1)


def test_a_slice_that_is_there_twice_is_used_once(tmp_path: Path) -> None:
    write_series(tmp_path, VALUES, grid())
    write_slice(tmp_path / "again", VALUES[2], grid(), 2)
    source, values = opened(tmp_path)
    np.testing.assert_array_equal(values, VALUES)
    assert "1 slices were there twice" in source.warnings[0]


def test_two_images_of_one_place_are_refused(tmp_path: Path) -> None:
    write_series(tmp_path, VALUES, grid())
    write_slice(tmp_path / "other", VALUES[3], grid(), 2)
    with pytest.raises(InputError, match="different images of one place"):
        opened(tmp_path)


def test_several_series_have_to_be_chosen_from(tmp_path: Path) -> None:
    write_series(tmp_path, VALUES, grid(), series=1)
    write_series(tmp_path, VALUES[:4] + 1, grid(), series=7)
    with pytest.raises(UsageError, match=r"1: 6 × CT, 2: 4 × CT"):
        opened(tmp_path)
    np.testing.assert_array_equal(opened(tmp_path, series=2)[1], VALUES[:4] + 1)


def test_an_overview_among_the_slices_is_refused(tmp_path: Path) -> None:
    write_series(tmp_path, VALUES, grid())
    turned = grid()
    turned[:3, 1] = 0.4 * turned[:3, 2]
    write_slice(tmp_path / "scout", VALUES[0], turned, 0)
    with pytest.raises(InputError, match="different orientations"):
        opened(tmp_path)


def test_a_slice_alone_is_a_plate(tmp_path: Path) -> None:
    write_slice(tmp_path / "one", VALUES[0], grid(), 0)
    source, values = opened(tmp_path / "one")
    assert np.linalg.norm(source.ras_from_ijk_44[:3, 2]) == pytest.approx(2.0)
    np.testing.assert_array_equal(values, VALUES[:1])
    assert "one slice only" in source.warnings[0]


def test_a_folder_above_the_series_is_told_where_it_is(tmp_path: Path) -> None:
    write_series(tmp_path / "study" / "series", VALUES, grid())
    with pytest.raises(InputError, match="study/series"):
        opened(tmp_path)


def test_padding_is_air(tmp_path: Path) -> None:
    write_slice(tmp_path / "one", VALUES[0], grid(), 0, RescaleIntercept="-3000")
    assert opened(tmp_path / "one")[1].min() == -1024


def test_a_path_with_the_patients_name_is_warned_of(tmp_path: Path) -> None:
    folder = write_series(tmp_path / "ct_zylberquist", VALUES, grid())
    (warning,) = opened(folder)[0].warnings
    assert "patient's name" in warning
    assert PATIENT.partition("^")[0].lower() not in warning.lower()
