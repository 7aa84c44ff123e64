import numpy as np
import pytest

from mvrecon.geometry.camera import Camera
from mvrecon.geometry.raycasting import TriangleScene, pixel_rays

CORNERS = np.array([[0, 0, 2], [1, 0, 2], [0, 1, 2], [0, 0, 5], [9, 0, 5], [0, 9, 5]], float)
SCENE = TriangleScene(CORNERS, np.array([[0, 1, 2], [3, 4, 5]]))
ORIGINS = np.array([[0.25, 0.5, 0], [2, 2, 0], [-1, 0, 0]], np.float32)
UPWARDS = np.array([[0, 0, 1]] * 3, np.float32)


def test_first_hit_by_hand():
    hits = SCENE.cast(ORIGINS, UPWARDS)
    np.testing.assert_allclose(hits.distance_n, [2, 5, np.inf])
    assert hits.met_n.tolist() == [True, True, False]
    assert hits.triangle_n[:2].tolist() == [0, 1]
    np.testing.assert_allclose(hits.barycentric_n2[0], [0.25, 0.5], atol=1e-6)
    np.testing.assert_allclose(SCENE.cast(ORIGINS, 2 * UPWARDS).distance_n, [1, 2.5, np.inf])


def test_blocked_within_reach():
    assert SCENE.blocked(ORIGINS, UPWARDS, 3.0).tolist() == [True, False, False]
    assert SCENE.blocked(ORIGINS, UPWARDS, 6.0).tolist() == [True, True, False]


def test_distance_to_the_nearest_triangle():
    points = np.array([[0.2, 0.2, 1.5], [0.2, 0.2, 4.0], [-3, -4, 2.0]])
    assert SCENE.distance(points) == pytest.approx([0.5, 1.0, 5.0])


def test_pixel_rays_pass_through_the_pixels():
    camera = Camera(8, 6, 7.0, 9.0, 3.2, 2.6, distortion=(0.1, -0.05, 0.002, 0.001))
    pose = np.eye(4)
    pose[:3, :3] = [[0, 0, 1], [1, 0, 0], [0, 1, 0]]
    pose[:3, 3] = [1, 2, 3]
    origins, directions = pixel_rays(camera, pose, dx_px=0.25, dy_px=-0.5)
    np.testing.assert_array_equal(origins, np.tile(np.float32([1, 2, 3]), (48, 1)))
    along = directions @ pose[:3, :3]
    np.testing.assert_allclose(along[:, 2], 1, atol=1e-6)
    y, x = np.mgrid[:6, :8]
    expected = np.stack([x.ravel() + 0.25, y.ravel() - 0.5], 1)
    np.testing.assert_allclose(camera.project(3.0 * along), expected, atol=1e-4)
