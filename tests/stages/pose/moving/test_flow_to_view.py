"""Rigid points along epipolar lines, with exact geometry."""

from dataclasses import replace

import numpy as np
import pytest

from mvrecon.geometry.rigid import inverse_rigid
from mvrecon.geometry.transfer import PixelTransfer
from stages.pose.moving.flow_to_view import FlowToView, sample
from tests.stages.pose.scene import CAMERA, Relief, sideways_path

SHAPE = (CAMERA.height, CAMERA.width)


@pytest.fixture(scope="module")
def exact():
    """Flow between two views, and the true inverse depth (h, w) of the first."""
    relief, (first, second) = Relief(), sideways_path(2, 0.3)
    points = relief.points(first, relief.grid())
    target = relief.project(second, points).reshape(*SHAPE, 2).astype(np.float32)
    transfer = PixelTransfer.between(
        CAMERA, inverse_rigid(first), CAMERA, inverse_rigid(second)
    ).single()
    nothing = np.zeros(SHAPE, np.float32)
    depth = (points - first[:3, 3]) @ first[:3, 2]
    return FlowToView(target, nothing, transfer, nothing), (1 / depth).reshape(SHAPE)


def test_a_rigid_point_goes_where_its_flow_goes(exact):
    flow, inverse_depth = exact
    assert flow.distance_px(inverse_depth.astype(np.float32)).max() < 1e-2


def test_flow_shows_the_depth_of_rigid_points(exact):
    flow, inverse_depth = exact
    np.testing.assert_allclose(flow.inverse_depth(2.0), inverse_depth, rtol=2e-3)
    assert flow.inverse_depth(0.1).max() == pytest.approx(0.1)


def test_what_moves_across_its_epipolar_line_is_off_by_that(exact):
    flow, _ = exact
    near, far = (
        np.stack(flow.project(np.full(SHAPE, value, np.float32)), axis=2) for value in (0.4, 0.1)
    )
    along = (near - far) / np.linalg.norm(near - far, axis=2, keepdims=True)
    across = np.stack([-along[..., 1], along[..., 0]], axis=2)
    moved = replace(flow, target_hw2=flow.target_hw2 + 3 * across)
    distance = moved.distance_px(moved.inverse_depth(np.inf))
    np.testing.assert_allclose(distance, 3.0, rtol=1e-2)


def test_samples_between_pixels_and_at_the_border():
    image = np.arange(12, dtype=np.float32).reshape(3, 4)
    at = np.float32([[[1.5, 1.0], [-3.0, 2.0]]])
    np.testing.assert_allclose(sample(image, at), [[5.5, 8.0]])
