"""What is inside: by name, value, range, or by itself."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mvrecon.errors import NotEnoughDataError, UsageError
from mvrecon.formats.slabs import SlabFile
from stages.volume.segment.level import level_of
from stages.volume.segment.thresholds import NAMED, Band, automatic_band, parse_threshold
from tests.stages.volume.conftest import VolumeRun


def body() -> np.ndarray:
    """A body in air, with a bone and two lungs in it, in Hounsfield units."""
    values = np.full((12, 40, 60), -1000, np.int16)
    values[:, 4:36, 4:56] = 40
    values[2:10, 10:30, 10:22] = values[2:10, 10:30, 38:50] = -850
    values[:, 16:24, 26:34] = 700
    return values


@pytest.mark.parametrize(
    ("name", "voxels"), [("bone", 12 * 64), ("skin", 12 * 32 * 52), ("lung", 2 * 8 * 20 * 12)]
)
def test_tissue_by_name(name: str, voxels: int, volume_run: Callable[..., VolumeRun]) -> None:
    run = volume_run(body())
    code, _ = run("--load.values", "hounsfield", "--threshold", name, "--mesh.smooth", "0")
    assert code == 0
    assert len(run.pieces) == (2 if name == "lung" else 1)
    assert all(piece["part"] == name and piece["cavities"] == 0 for piece in run.pieces)
    volume = sum(piece["volume_mm3"] for piece in run.pieces)
    assert volume == pytest.approx(voxels, rel=0.12)  # edges of boxes lie between voxels


def test_tissue_needs_hounsfield_units(volume_run: Callable[..., VolumeRun]) -> None:
    code, told = volume_run(body())("--threshold", "bone")
    assert code == 2
    assert "needs Hounsfield units" in told.splitlines()[-1]


@pytest.mark.parametrize(
    ("text", "ends"), [("300", (300, math.inf)), ("-5.5,7", (-5.5, 7)), ("-9..-2", (-9, -2))]
)
def test_values_and_ranges(text: str, ends: tuple[float, float]) -> None:
    band = parse_threshold(text, "intensity")
    assert band and (band.low, band.high) == ends


@pytest.mark.parametrize("text", ["bones", "7,3", "1,2,3", "nan", "", "inf"])
def test_what_is_not_understood_names_the_choices(text: str) -> None:
    with pytest.raises(UsageError, match="bone, skin, lung, a value"):
        parse_threshold(text, "hounsfield")


def test_the_automatic_threshold_is_half_way(tmp_path: Path) -> None:
    random = np.random.default_rng(4)
    values = np.where(random.random((8, 30, 30)) < 0.07, 900.0, 100.0)
    np.save(tmp_path / "a.npy", values + random.normal(0, 40, values.shape))
    band = automatic_band(SlabFile(tmp_path / "a.npy"), -100, 1100)
    assert band.low == pytest.approx(500, abs=10)
    with pytest.raises(NotEnoughDataError, match="same value"):
        automatic_band(SlabFile(tmp_path / "a.npy"), 3, 3)


def test_the_level_is_zero_half_a_step_below_whole_thresholds() -> None:
    values = np.array([[[225, 226, 227]]], np.int16)
    level = level_of(values, NAMED["bone"], 1000.0).ravel()
    np.testing.assert_allclose(level, [-0.5, 0.5, 1.5])
    exact = level_of(np.array([[[2.0]]], np.float32), Band("x", 2.0, math.inf), 1000.0)
    assert exact.item() > 0


def test_nothing_inside_is_told_with_the_range(volume_run: Callable[..., VolumeRun]) -> None:
    code, told = volume_run(body())("--threshold", "5000")
    assert code == 4
    assert "no voxel is inside the threshold (5000; values go from -1000 to 700)" in told


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (["--load.values", "labels", "--segment.labels", "7"], 4, "there are 1, 2"),
        (["--segment.labels", "7"], 2, "does not say that its values are labels"),
    ],
)
def test_labels_that_are_not_there(
    options: list[str], code: int, words: str, volume_run: Callable[..., VolumeRun]
) -> None:
    labels = np.zeros((5, 6, 7), np.int16)
    labels[1:3, 1:3, 1:3], labels[3:5, 3:5, 3:5] = 1, 2
    found, told = volume_run(labels)(*options)
    assert found == code and words in told


def test_negative_values_are_no_labels(volume_run: Callable[..., VolumeRun]) -> None:
    code, told = volume_run(body())("--load.values", "labels")
    assert code == 3 and "labels go from -1000 to 700" in told
