"""Adjustment after points were found again: outliers go, and a lens is what it is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mvrecon.formats.colmap.files import read_model, write_model
from mvrecon.formats.colmap.model import ColmapModel
from stages.pose.adjustment.lens import adjust_found
from stages.pose.mapping.mapper import MapperSettings
from tests.stages.pose.adjustment.scene import FOCAL_PX, shoot

SETTINGS = MapperSettings(max_error_px=1.0, min_angle_deg=0.5)


def bent(model: ColmapModel, radial: tuple[float, float]) -> ColmapModel:
    """The same seen through a lens with two terms of distortion."""
    camera = model.cameras[1]
    centre_2 = np.array([camera.cx, camera.cy])
    images = []
    for image in model.images:
        plane_k2 = (image.xy_k2 - centre_2) / FOCAL_PX
        squared_k1 = np.sum(plane_k2**2, axis=1, keepdims=True)
        factor_k1 = 1 + radial[0] * squared_k1 + radial[1] * squared_k1**2
        images.append(replace(image, xy_k2=FOCAL_PX * plane_k2 * factor_k1 + centre_2))
    return replace(model, images=tuple(images))


def adjusted(model: ColmapModel, folder: Path, settings: MapperSettings = SETTINGS) -> ColmapModel:
    folder.mkdir()
    write_model(model, folder)
    return read_model(adjust_found(folder, settings, max_off_px=1.5))


def test_two_terms_are_found_where_a_lens_has_them(tmp_path: Path) -> None:
    model = bent(shoot(noise_px=0.2).model, (-0.1, 0.15))
    camera = adjusted(model, tmp_path / "model").cameras[1]
    assert camera.fx == pytest.approx(FOCAL_PX, rel=0.01)
    assert camera.distortion[:2] == pytest.approx((-0.1, 0.15), abs=0.04)


def test_one_term_does_where_a_lens_has_no_second(tmp_path: Path) -> None:
    model = bent(shoot(noise_px=0.2).model, (-0.05, 0.0))
    camera = adjusted(model, tmp_path / "model").cameras[1]
    assert camera.distortion[0] == pytest.approx(-0.05, abs=0.01)
    assert camera.distortion[1] == 0.0


def test_observations_that_are_off_are_left_out(tmp_path: Path) -> None:
    model = shoot(noise_px=0.1).model
    first = model.images[3]
    xy_k2 = first.xy_k2.copy()
    xy_k2[:10] += 8.0
    images = (*model.images[:3], replace(first, xy_k2=xy_k2), *model.images[4:])
    image = adjusted(replace(model, images=images), tmp_path / "model").images[3]
    assert (image.point_k[:10] < 0).all()
    assert (image.point_k[10:] >= 0).mean() > 0.95


def test_intrinsics_that_are_known_stay(tmp_path: Path) -> None:
    model = shoot(noise_px=0.1).model
    known = replace(model.cameras[1], fx=FOCAL_PX, fy=FOCAL_PX)
    settings = replace(SETTINGS, fixed_cameras=(0,))
    found = adjusted(replace(model, cameras={1: known}), tmp_path / "model", settings)
    assert found.cameras[1] == known


def test_a_focal_length_that_was_assumed_stays(tmp_path: Path) -> None:
    model = bent(shoot(noise_px=0.1).model, (-0.05, 0.0))
    settings = replace(SETTINGS, refine_focal=False)
    camera = adjusted(model, tmp_path / "model", settings).cameras[1]
    assert camera.fx == model.cameras[1].fx
    assert camera.distortion[1:] == (0.0, 0.0, 0.0)
