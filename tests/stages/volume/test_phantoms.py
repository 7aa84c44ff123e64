"""Solids whose volume, area and surface are known: they come out as they are."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from mvrecon.synthetic.phantoms import Phantom, centered, sampled, shell, sphere, torus
from stages.volume.mesh.simplification import is_closed
from tests.stages.volume.conftest import VolumeRun

SPACING = (0.8, 0.9, 1.1)
SHAPE = (46, 56, 62)
# Neither a turn nor a mirror of the grid may change anything.
TURNED_44 = np.array([[0.0, -0.6, 0.8, 3], [1, 0, 0, -5], [0, 0.8, 0.6, 7], [0, 0, 0, 1.0]])
MIRRORED_44 = np.diag([-1.0, 1.0, 1.0, 1.0])


@pytest.mark.parametrize(
    "phantom", [sphere(19.3), shell(20.2, 13.1), torus(15.0, 8.5)], ids=lambda one: one.name
)
@pytest.mark.parametrize("placed", [TURNED_44, MIRRORED_44], ids=["turned", "mirrored"])
def test_volume_area_and_surface(
    phantom: Phantom, placed: np.ndarray, volume_run: Callable[..., VolumeRun]
) -> None:
    grid = centered(SHAPE, SPACING)
    values = sampled(phantom.density, SHAPE, grid, samples=4)
    run = volume_run(np.round(values).astype(np.int16), placed @ grid)
    assert run()[0] == 0
    (piece,) = run.pieces
    assert piece["volume_mm3"] == pytest.approx(phantom.volume_mm3, rel=0.005)
    assert piece["area_mm2"] == pytest.approx(phantom.area_mm2, rel=0.005)
    assert piece["cavities"] == (phantom.name == "shell")
    assert not piece["cut"]
    mesh = run.mesh
    local = (mesh.points.xyz_n3 - placed[:3, 3]) @ np.linalg.inv(placed[:3, :3]).T
    assert phantom.distance(local).max() < 0.5 * min(SPACING)
    assert is_closed(mesh.faces_m3)


def test_labels_become_meshes_of_their_own(volume_run: Callable[..., VolumeRun]) -> None:
    grid = centered((40, 40, 80), (1.0, 1.0, 1.0))
    one, other = sphere(15.0), sphere(11.0)
    x = np.stack(np.meshgrid(*[np.arange(n) for n in (80, 40, 40)], indexing="ij"), -1)
    x = x @ grid[:3, :3].T + grid[:3, 3]
    values = np.where(one.density(x + np.array([20, 0, 0])) > 0, 3, 0)
    values = np.where(other.density(x - np.array([20, 0, 0])) > 0, 8, values).transpose(2, 1, 0)
    run = volume_run(values.astype(np.uint8), grid, "label")
    assert run()[0] == 0
    for piece, truth, name in zip(run.pieces, (one, other), ("label_3", "label_8"), strict=True):
        assert piece["part"] == name
        # A ball of voxels is a per cent off a ball itself.
        voxels = np.count_nonzero(values == int(name[-1]))
        assert piece["volume_mm3"] == pytest.approx(voxels, rel=0.005)
        assert piece["area_mm2"] == pytest.approx(truth.area_mm2, rel=0.03)
        assert (run.run_dir / "parts" / f"{name}.ply").is_file()
    run("--segment.labels", "8")
    assert [piece["part"] for piece in run.pieces] == ["label_8"]


def test_what_the_edge_cuts_is_closed_where_the_voxels_end(
    volume_run: Callable[..., VolumeRun],
) -> None:
    run = volume_run(np.full((4, 5, 6), 100, np.int16) * (np.arange(6) > 2), None)
    assert run("--mesh.smooth", "0", "--threshold", "50")[0] == 0
    (piece,) = run.pieces
    assert piece["cut"]
    np.testing.assert_allclose(piece["low_3"], [2.5, -0.5, -0.5], atol=0.01)
    np.testing.assert_allclose(piece["high_3"], [5.5, 4.5, 3.5], atol=0.01)
    assert is_closed(run.mesh.faces_m3)


def test_axes_of_dicom(volume_run: Callable[..., VolumeRun]) -> None:
    grid = centered(SHAPE, SPACING)
    grid[:3, 3] += [100, 50, 20]
    values = sampled(sphere(10.0).density, SHAPE, centered(SHAPE, SPACING), samples=2)
    run = volume_run(values.astype(np.int16), grid)
    for axes, sign in (("RAS", 1), ("LPS", -1)):
        run("--mesh.axes", axes)
        middle = run.mesh.points.xyz_n3.mean(axis=0)
        np.testing.assert_allclose(middle, [sign * 100, sign * 50, 20], atol=0.1)
        assert run.pieces[0]["volume_mm3"] > 0
