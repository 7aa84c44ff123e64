from dataclasses import replace

import numpy as np
import pytest

from mvrecon.geometry.undistortion import distorting_map
from stages.pose.undistortion import (
    max_shift_px,
    pinhole_without_blanks,
    undistort_image,
    undistort_model,
)
from tests.stages.pose.scene import CAMERA, Relief, sideways_path
from tests.stages.pose.world.test_canonical import relief_model, reprojected

BARREL = replace(CAMERA, distortion=(-0.15, 0.0, 0.0, 0.0))


PINCUSHION = replace(CAMERA, distortion=(0.12, 0.0, 0.0, 0.0))


@pytest.mark.parametrize("camera", [BARREL, PINCUSHION])
def test_the_pinhole_sees_only_inside_and_wastes_little(camera):
    pinhole = pinhole_without_blanks(camera)
    assert not pinhole.distortion
    x, y = np.meshgrid([0, 120, 239], [0, 90, 179])
    corners = np.stack([x, y], axis=-1).reshape(-1, 2).astype(float)
    rays = np.column_stack([pinhole.normalize(corners), np.ones(9)])
    source = camera.project(rays)
    assert source.min() >= -0.51
    assert (source <= [239.51, 179.51]).all()
    gap = np.minimum(source + 0.5, [239.5, 179.5] - source).min()
    assert gap < 0.1


def test_undistorted_image_is_what_the_pinhole_sees():
    pose = sideways_path(3)[0]
    pinhole = pinhole_without_blanks(BARREL)
    found = undistort_image(Relief(BARREL).image(pose), distorting_map(pinhole, BARREL))
    expected = Relief(pinhole).image(pose)
    error = np.abs(found.astype(float) - expected)[5:-5, 5:-5]
    assert error.mean() < 1.5


def test_undistorted_model_fits_its_images():
    model = relief_model(BARREL)
    pinholes = {1: pinhole_without_blanks(BARREL)}
    undistorted = undistort_model(model, pinholes)
    assert undistorted.cameras == pinholes
    assert reprojected(undistorted) < 1e-5


def test_negligible_distortion_changes_nothing():
    camera = replace(CAMERA, distortion=(1e-4, 0.0, 0.0, 0.0))
    assert max_shift_px(camera) < 0.1
    assert pinhole_without_blanks(camera) == CAMERA
    assert max_shift_px(BARREL) > 1.0
