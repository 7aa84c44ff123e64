"""Rows of a rolling shutter are those of cameras that stand where the row was read."""

from __future__ import annotations

import numpy as np
import pytest

from mvrecon.geometry.camera import Camera
from mvrecon.synthetic.render import RollingView, View, render_depth
from mvrecon.synthetic.shutter import film
from sample_data.desk import DESK_PATH
from tests.synthetic.scenes import small_scene

CAMERA = Camera(32, 24, 30.0, 30.0, 15.5, 11.5)
TIMES_S = np.arange(4) / 10


def test_each_row_is_seen_from_its_own_pose() -> None:
    view = film(DESK_PATH, CAMERA, TIMES_S, seed=3, readout_s=0.1)[2]
    assert isinstance(view, RollingView)
    scene = small_scene()
    depth_hw = scene.triangles.cast(*view.rays()).distance_n.reshape(24, 32)
    for row in (0, 7, 23):
        still = View(CAMERA, view.world_from_row_h44[row])
        np.testing.assert_allclose(depth_hw[row], render_depth(scene, still)[row], rtol=1e-5)
    assert np.abs(depth_hw - render_depth(scene, View(CAMERA, view.world_from_cam))).max() > 1e-3


def test_the_middle_of_the_read_out_is_the_frame() -> None:
    rolling, still = (
        film(DESK_PATH, CAMERA, TIMES_S, seed=3, readout_s=readout_s) for readout_s in (0.1, 0.0)
    )
    for view, expected in zip(rolling, still, strict=True):
        np.testing.assert_array_equal(view.world_from_cam, expected.world_from_cam)
        middle = view.world_from_row_h44[11:13].mean(axis=0)
        np.testing.assert_allclose(middle, expected.world_from_cam, atol=1e-4)


def test_a_zoom_changes_the_cameras_alone() -> None:
    views = film(DESK_PATH, CAMERA, TIMES_S, seed=3, focal_factors=[1.0, 1.1, 1.2, 1.3])
    assert [view.camera.fx for view in views] == pytest.approx([30.0, 33.0, 36.0, 39.0])
    np.testing.assert_array_equal(
        [view.world_from_cam for view in views], DESK_PATH.poses(TIMES_S, 3)
    )
