"""Surfaces of any field are closed, wherever slabs meet."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from mvrecon.artifacts.volume import Part
from mvrecon.formats.slabs import SlabFile
from stages.volume.mesh import extraction
from stages.volume.mesh.extraction import extract
from stages.volume.mesh.levels import LevelField
from stages.volume.mesh.pieces import Surfaces, measure_pieces, without_small
from stages.volume.mesh.simplification import is_closed, simplified
from stages.volume.mesh.smoothing import smoothed

SHAPE = (14, 15, 16)
WHOLE = ((0, 14), (0, 15), (0, 16))


def field(folder: Path, level: np.ndarray) -> LevelField:
    np.save(folder / "level.npy", level.astype(np.float16))
    return LevelField.of(Part("x", None, WHOLE, 1), SlabFile(folder / "level.npy"))


@pytest.mark.parametrize("rough", [0.0, 1.0])
def test_slabs_join_without_a_seam(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rough: float
) -> None:
    noise = ndimage.gaussian_filter(np.random.default_rng(3).normal(size=SHAPE), rough)
    noise = 100 * noise / noise.std()
    noise = np.where(noise >= 0, np.maximum(noise, 0.3), np.minimum(noise, -0.3))
    whole = field(tmp_path, noise)
    at_once = Surfaces.of(*extract(whole))
    monkeypatch.setattr(extraction, "SLAB_VOXELS", 1)
    vertices, faces = extract(whole)
    assert is_closed(faces)
    in_slabs = Surfaces.of(vertices, faces)
    assert in_slabs.volume_s.sum() == pytest.approx(at_once.volume_s.sum(), rel=1e-5)
    assert sorted(in_slabs.area_s) == pytest.approx(sorted(at_once.area_s), rel=1e-4)


@pytest.mark.parametrize("label", [None, 1])
def test_a_coarser_field_is_closed_where_voxels_cancel_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, label: int | None
) -> None:
    signs = np.random.default_rng(8).choice([-1, 1], (14, 15, 16))
    np.save(tmp_path / "level.npy", (100 * signs if label is None else signs).astype(np.int16))
    whole = LevelField.of(Part("x", label, WHOLE, 1), SlabFile(tmp_path / "level.npy"))
    monkeypatch.setattr(extraction, "SLAB_VOXELS", 1)
    assert is_closed(extract(whole.coarser())[1])


def test_a_coarser_field_has_nearly_the_same_surface(tmp_path: Path) -> None:
    middle = np.array([6.5, 7, 7.5])[:, None, None, None]
    level = 100 * (5.5 - np.linalg.norm(np.mgrid[:14, :15, :16] - middle, axis=0))
    fine = field(tmp_path, level)
    for one in (fine, fine.coarser()):
        vertices, faces = extract(one)
        assert is_closed(faces)
        off = np.linalg.norm(vertices - middle.ravel()[::-1], axis=1) - 5.5
        assert np.abs(off).max() < 0.25 * one.step


def two_boxes() -> tuple[np.ndarray, np.ndarray]:
    """A box with two cavities, one beside the other, and a small box."""
    level = np.full(SHAPE, -1.0)
    level[1:12, 1:12, 1:12] = 1
    level[4:6, 4:6, 3:5] = level[4:6, 4:6, 7:10] = -1
    level[6, 6, 14] = 1
    return level, np.array([1.0])


def test_cavities_belong_to_what_they_lie_in(tmp_path: Path) -> None:
    vertices, faces = extract(field(tmp_path, two_boxes()[0]))
    big, small = measure_pieces("x", vertices, faces, np.zeros(len(vertices), bool))
    assert (big.cavities, small.cavities) == (2, 0)
    assert big.volume_mm3 == pytest.approx(11**3 - 8 - 12, rel=0.01)
    assert small.volume_mm3 == pytest.approx(1 / 6, rel=0.01)


def test_small_surfaces_are_dropped(tmp_path: Path) -> None:
    vertices, faces = extract(field(tmp_path, two_boxes()[0]))
    kept_vertices, kept_faces, dropped = without_small(vertices, faces, 0.005)
    assert dropped == 2  # the small box, and the smaller cavity
    assert is_closed(kept_faces)
    assert kept_faces.max() == len(kept_vertices) - 1


def test_smoothing_keeps_volume_and_bound(tmp_path: Path) -> None:
    middle = np.array([6.5, 7, 7.5])[:, None, None, None]
    inside = np.linalg.norm(np.mgrid[:14, :15, :16] - middle, axis=0) < 5.5
    vertices, faces = extract(field(tmp_path, np.where(inside, 1, -1)))
    moved = smoothed(vertices, faces, 10, vertices - 0.5, vertices + 0.5)
    assert np.abs(moved - vertices).max() <= 0.5 + 1e-5
    rough, smooth = Surfaces.of(vertices, faces), Surfaces.of(moved, faces)
    assert smooth.volume_s[0] == pytest.approx(rough.volume_s[0], rel=0.015)
    assert smooth.area_s[0] < 0.97 * rough.area_s[0]


def test_simplified_surfaces_stay_closed(tmp_path: Path) -> None:
    noise = ndimage.gaussian_filter(np.random.default_rng(5).normal(size=SHAPE), 1.5)
    vertices, faces = extract(field(tmp_path, 100 * noise / noise.std()))
    fewer_vertices, fewer = simplified(vertices, faces, len(faces) // 4)
    assert is_closed(fewer) and len(fewer) <= len(faces) // 4
    before, after = Surfaces.of(vertices, faces), Surfaces.of(fewer_vertices, fewer)
    assert after.volume_s.sum() == pytest.approx(before.volume_s.sum(), rel=0.03)


@pytest.mark.parametrize("faces", [[[0, 1, 2]], [[0, 1, 2], [0, 1, 2]]])
def test_an_open_or_turned_surface_is_not_closed(faces: list[list[int]]) -> None:
    assert not is_closed(np.array(faces, np.int32))
    assert is_closed(np.array([[0, 1, 2], [0, 2, 1]], np.int32))


def test_large_indices_are_told_apart() -> None:
    many = 3_000_000
    assert is_closed(np.array([[0, 1, many], [0, many, 1]], np.int32))
    assert not is_closed(np.array([[0, 1, many], [0, many, 2]], np.int32))
