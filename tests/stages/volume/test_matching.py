"""Surfaces enclose what voxels, or means over them, say that they do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mvrecon.artifacts.volume import Part
from mvrecon.formats.slabs import SlabFile
from mvrecon.synthetic.phantoms import centered, sampled, shell, sphere
from stages.volume.mesh.extraction import extract
from stages.volume.mesh.levels import LevelField
from stages.volume.mesh.matching import voxel_volumes, with_volumes
from stages.volume.mesh.pieces import Surfaces
from tests.stages.volume.conftest import VolumeRun


def surface(folder: Path, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    np.save(folder / "labels.npy", labels.astype(np.int16))
    box = tuple((0, length) for length in labels.shape)
    return extract(LevelField.of(Part("x", 1, box, 1), SlabFile(folder / "labels.npy")))


def test_voxels_in_a_surface_are_counted_exactly(tmp_path: Path) -> None:
    labels = np.random.default_rng(4).random((9, 10, 11)) < 0.7
    counted = voxel_volumes(*surface(tmp_path, labels))
    np.testing.assert_allclose(counted, np.round(counted), atol=1e-3)
    assert counted.sum() == pytest.approx(labels.sum(), abs=1e-2)
    assert counted.min() < 0 < counted.max()  # there are cavities


def test_a_surface_grows_to_a_volume_and_no_farther_than_it_may(tmp_path: Path) -> None:
    labels = np.zeros((12, 12, 12))
    labels[2:9, 3:9, 4:9] = 1
    labels[5, 5, 6] = 0
    vertices, faces = surface(tmp_path, labels)
    wanted = voxel_volumes(vertices, faces)
    moved = with_volumes(vertices, faces, wanted, vertices - 0.5, vertices + 0.5)
    np.testing.assert_allclose(Surfaces.of(moved, faces).volume_s, wanted, rtol=2e-3)
    held = with_volumes(vertices, faces, 9 * wanted, vertices - 0.1, vertices + 0.1)
    assert np.abs(held - vertices).max() <= 0.1 + 1e-5


@pytest.mark.parametrize("phantom", [sphere(5.2), shell(9.2, 7.4)], ids=lambda one: one.name)
def test_small_and_thin_solids_have_their_volume(
    phantom: object, volume_run: Callable[..., VolumeRun]
) -> None:
    shape = (24, 24, 24)
    grid = centered(shape, (1.0, 1.0, 1.0))
    grid[:3, 3] += 0.3
    run = volume_run(np.round(sampled(phantom.density, shape, grid, 5)).astype(np.int16), grid)
    assert run("--threshold", "500")[0] == 0
    (piece,) = run.pieces
    assert piece["volume_mm3"] == pytest.approx(phantom.volume_mm3, rel=0.005)
    assert phantom.distance(run.mesh.points.xyz_n3).max() < 0.5


def test_labels_one_voxel_thick_keep_their_volume(volume_run: Callable[..., VolumeRun]) -> None:
    labels = np.zeros((20, 22, 24), np.uint8)
    labels[3:15, 3:15, 3:15] = 1
    labels[4:14, 4:14, 4:14] = 0
    labels[17, 19, 20] = 2
    run = volume_run(labels, np.diag([0.5, 0.5, 2.0, 1.0]), "label")
    assert run()[0] == 0
    assert [piece["cavities"] for piece in run.pieces] == [1, 0]
    for piece, voxels in zip(run.pieces, (12**3 - 10**3, 1), strict=True):
        assert piece["volume_mm3"] == pytest.approx(voxels * 0.5, rel=0.005)
