from dataclasses import replace

import cv2
import numpy as np
import pytest

from mvrecon.synthetic.clip import Sensor
from mvrecon.synthetic.render import View, render_depth, render_flow, render_radiance
from tests.synthetic.scenes import CAMERA, small_scene, small_views


@pytest.fixture(scope="module")
def scene():
    return small_scene()


@pytest.fixture(scope="module")
def views():
    return small_views(5)


def test_depth_puts_points_on_the_surface(scene, views):
    view = views[0]
    depth_hw = render_depth(scene, view)
    assert (depth_hw > 0).all()
    y, x = np.mgrid[:72, :96]
    rays = np.stack([(x - 47.0) / 90.0, (y - 36.5) / 88.0, np.ones_like(x, float)], -1)
    points_cam = rays * depth_hw[..., None]
    points = points_cam.reshape(-1, 3) @ view.world_from_cam[:3, :3].T + view.world_from_cam[:3, 3]
    assert scene.triangles.distance(points).max() < 1e-5


def test_depth_of_a_wall_is_its_distance(scene):
    facing = np.eye(4)
    facing[:3, :3] = np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]]).T
    facing[:3, 3] = [0.9, 0.2, 0.7]
    depth_hw = render_depth(scene, View(CAMERA, facing))
    np.testing.assert_allclose(depth_hw[30:40, 44:50], 1.4, atol=1e-5)


def test_flow_agrees_with_depth_and_poses(scene, views):
    first, second = views[0], views[4]
    flow_hw2, visible_hw = render_flow(scene, first, second)
    depth_first, depth_second = render_depth(scene, first), render_depth(scene, second)
    y, x = np.mgrid[:72, :96].astype(np.float32)
    plane = np.stack([(x - 47.0) / 90.0, (y - 36.5) / 88.0, np.ones_like(x)], -1)
    points = (plane * depth_first[..., None]) @ first.world_from_cam[:3, :3].T
    points += first.world_from_cam[:3, 3] - second.world_from_cam[:3, 3]
    moved = points @ second.world_from_cam[:3, :3]
    expected = np.stack([moved[..., 0] / moved[..., 2] * 90 + 47, 0 * x], -1)
    expected[..., 1] = moved[..., 1] / moved[..., 2] * 88 + 36.5
    np.testing.assert_allclose(flow_hw2, expected - np.stack([x, y], -1), atol=1e-3)

    target = (np.stack([x, y], -1) + flow_hw2).astype(np.float32)
    there = cv2.remap(depth_second, target[..., 0], target[..., 1], cv2.INTER_NEAREST)
    agree = np.abs(there - moved[..., 2]) < 0.03 * moved[..., 2]
    assert 0.3 < visible_hw.mean() < 1
    assert agree[visible_hw].mean() > 0.98
    inside = (target > 0).all(-1) & (target < [95, 71]).all(-1)
    assert inside[~visible_hw].any()
    assert agree[~visible_hw & inside].mean() < 0.4


def test_flow_to_itself_is_zero_and_visible(scene, views):
    flow_hw2, visible_hw = render_flow(scene, views[1], views[1])
    np.testing.assert_allclose(flow_hw2, 0, atol=2e-3)
    assert visible_hw.mean() > 0.99


def test_pictures_of_a_point_agree_between_views(scene, views):
    flow_hw2, visible_hw = render_flow(scene, views[0], views[1])
    first, second = (render_radiance(scene, view, 2) for view in views[:2])
    y, x = np.mgrid[:72, :96].astype(np.float32)
    target = np.stack([x, y], -1) + flow_hw2
    warped = cv2.remap(second, target[..., 0], target[..., 1], cv2.INTER_LINEAR)
    warped_error = np.abs(warped - first)[visible_hw].mean()
    unwarped_error = np.abs(second - first)[visible_hw].mean()
    assert warped_error < 0.4 * unwarped_error


def test_ray_through_a_distorted_camera_meets_what_it_projects(scene, views):
    camera = replace(CAMERA, distortion=(-0.2, 0.05, 0.001, -0.002))
    view = View(camera, views[0].world_from_cam)
    flow_hw2, _ = render_flow(scene, view, view)
    np.testing.assert_allclose(flow_hw2, 0, atol=5e-3)


def test_same_seed_same_picture_other_seed_other_noise(scene, views):
    light = render_radiance(scene, views[2], 1)
    again = render_radiance(small_scene(), views[2], 1)
    np.testing.assert_array_equal(light, again)
    first, same = Sensor(seed=5).develop(light, 3), Sensor(seed=5).develop(again, 3)
    np.testing.assert_array_equal(first, same)
    assert (Sensor(seed=6).develop(light, 3) != first).mean() > 0.1
    assert (Sensor(seed=5).develop(light, 4) != first).mean() > 0.1


def test_shadow_side_is_darker(scene):
    above = np.array([[-0.27, -0.25, 1.0], [0.35, 0.3, 1.0]], np.float32)
    down = np.array([[0, 0, -1], [0, 0, -1]], np.float32)
    behind_box, open_floor = scene.radiance(above, down).mean(1)
    points = above + down
    blocked = scene.triangles.blocked(
        points + np.float32([0, 0, 1e-3]), np.array([0.6, 0.5, 1.2], np.float32) - points, 1.0
    )
    assert blocked.tolist() == [True, False]
    assert behind_box < 0.8 * open_floor
