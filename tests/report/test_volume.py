"""Slices with the outline of the model, and what the page of a volume says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mvrecon.artifacts.volume import VolumeGrid
from mvrecon.formats.slabs import SlabFile
from mvrecon.report.slices import PlacedMesh, Slice, middle_slices, outline, picture, plane_name

OCTAHEDRON = PlacedMesh(
    np.array([[9.0, 5, 5], [1, 5, 5], [5, 8, 5], [5, 2, 5], [5, 5, 7], [5, 5, 3]]),
    np.array(
        [[0, 2, 4], [2, 1, 4], [1, 3, 4], [3, 0, 4], [2, 0, 5], [1, 2, 5], [3, 1, 5], [0, 3, 5]],
        np.int32,
    ),
    np.full((6, 3), 200, np.uint8),
)


def grid(ras_from_ijk_44: np.ndarray) -> VolumeGrid:
    return VolumeGrid("x", (4, 8, 10), ras_from_ijk_44, "intensity", 0, 1)


@pytest.mark.parametrize("place", [5.0, 6.0])
def test_the_outline_is_where_the_plane_cuts(place: float) -> None:
    lines, colours = outline(OCTAHEDRON, 2, place)
    assert len(lines) == 4 and colours.shape == (4, 3)
    shrunk = 1 - abs(place - 5) / 2
    points = lines.reshape(-1, 2) - 5
    on_it = np.abs(points[:, 0]) / 4 + np.abs(points[:, 1]) / 3
    np.testing.assert_allclose(on_it, shrunk, atol=1e-6)
    assert len(outline(OCTAHEDRON, 2, 7.5)[0]) == 0


@pytest.mark.parametrize(
    ("axes", "bright"),
    [
        (
            np.diag([-1.0, -1.0, 1.0, 1.0]),
            "as stored",
        ),  # LPS: columns to the left, rows to the back
        (np.diag([1.0, 1.0, 1.0, 1.0]), "turned"),
        (np.array([[0, -1.0, 0, 0], [-1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]), "transposed"),
    ],
)
def test_front_is_up_and_right_is_left(axes: np.ndarray, bright: str) -> None:
    values = np.zeros((8, 10))
    values[0, 0] = 1.0  # the first voxel
    empty = PlacedMesh(np.zeros((3, 3)), np.zeros((0, 3), np.int32), np.zeros((3, 3), np.uint8))
    image = picture(Slice(values, 2, 0), grid(axes), empty, (0.0, 1.0))
    row, column = np.unravel_index(image[..., 0].argmax(), image.shape[:2])
    at_top, at_left = row < image.shape[0] / 2, column < image.shape[1] / 2
    assert (at_top, at_left) == ((False, False) if bright == "turned" else (True, True))
    assert (image.shape[0] > image.shape[1]) == (bright == "transposed")
    assert plane_name(grid(axes), 2) == "axial"


def test_slices_across_each_axis(tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(size=(4, 8, 10))
    np.save(tmp_path / "a.npy", values)
    found = {cut.axis: cut for cut in middle_slices(SlabFile(tmp_path / "a.npy"), (0.5,))}
    np.testing.assert_array_equal(found[2].values_hw, values[2])
    np.testing.assert_array_equal(found[1].values_hw, values[:, 4])
    np.testing.assert_array_equal(found[0].values_hw, values[:, :, 5])
