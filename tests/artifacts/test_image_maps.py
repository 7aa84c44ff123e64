"""The ways between stored and undistorted images, rows read in turn or all at once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mvrecon.artifacts.image_maps import ImageMaps
from mvrecon.artifacts.image_motion import ImageMotion, motion_item
from mvrecon.artifacts.poses import PosedFrame
from mvrecon.geometry.camera import Camera
from tests.stages.pose.scene import Folder

SOURCE = Camera(160, 120, 140.0, 140.0, 79.5, 59.5, (0.1, 0.0, 0.0, 0.0))
PINHOLE = Camera(80, 60, 68.0, 68.0, 39.5, 29.5)
SIZE_WH = (160, 120)
READOUT_S, SPEED_PX = 0.02, np.array([300.0, 40.0])


@pytest.fixture
def maps(tmp_path: Path) -> ImageMaps:
    moved = np.broadcast_to(SPEED_PX / 30 / SOURCE.width, (30, 40, 2)).astype(np.float32)
    (tmp_path / "motion").mkdir()
    ImageMotion(-moved, moved, -1 / 30, 1 / 30).save(tmp_path / motion_item("rolling"))
    posed = [
        PosedFrame(name, 0.0, PINHOLE, SOURCE, np.eye(4), readout_s)
        for name, readout_s in (("rolling", READOUT_S), ("global", 0.0))
    ]
    return ImageMaps(posed, Folder(tmp_path))


def test_without_a_read_out_only_the_lens_counts(maps: ImageMaps) -> None:
    x, y = maps.into_stored("global", PINHOLE, SIZE_WH)[10, 20]
    ray = np.append(PINHOLE.normalize(np.array([[20.0, 10.0]]))[0], 1.0)
    np.testing.assert_allclose([x, y], SOURCE.project(ray[None])[0], atol=1e-4)


@pytest.mark.parametrize("row", [2, 30, 57])
def test_rows_are_taken_from_where_they_were_seen(maps: ImageMaps, row: int) -> None:
    still = maps.into_stored("global", PINHOLE, SIZE_WH)[row]
    seen = maps.into_stored("rolling", PINHOLE, SIZE_WH)[row]
    late_s = READOUT_S * (seen[:, 1:] - 59.5) / 120
    # Vertical motion changes the time that it takes to the neighbours, by two per cent here.
    np.testing.assert_allclose(seen - still, late_s * SPEED_PX, rtol=0.03, atol=0.01)


@pytest.mark.parametrize("name", ["rolling", "global"])
def test_there_and_back_again(maps: ImageMaps, name: str) -> None:
    seen = maps.into_stored(name, PINHOLE, SIZE_WH)[6:-6, 6:-6].reshape(-1, 2)
    back = maps.into_undistorted(name, SIZE_WH, PINHOLE)
    nearest = np.rint(seen).astype(int)
    found = back[nearest[:, 1], nearest[:, 0]]
    expected = np.stack(np.meshgrid(np.arange(6, 74), np.arange(6, 54)), -1).reshape(-1, 2)
    # A pixel of the stored image is half a pixel of the undistorted one.
    assert np.abs(found - expected).max() < 0.5
    assert np.abs((found - expected).mean(axis=0)).max() < 0.02
