import numpy as np
import pytest

from mvrecon.geometry.camera import Camera
from mvrecon.geometry.rigid import inverse_rigid, rigid, rotation_from_quaternion, transform_points
from mvrecon.geometry.transfer import PixelTransfer

CAMERA = Camera(60, 40, 50.0, 52.0, 29.5, 19.5)
OTHER = Camera(80, 60, 70.0, 70.0, 39.5, 29.5)
WORLD_FROM_CAM = rigid(rotation_from_quaternion(np.array([1, 0.05, -0.1, 0.02])), np.ones(3))
WORLD_FROM_OTHER = rigid(rotation_from_quaternion(np.array([1, 0.1, 0.05, 0])), np.array([2, 1, 1]))
TRANSFER = PixelTransfer.between(
    CAMERA, inverse_rigid(WORLD_FROM_CAM), OTHER, inverse_rigid(WORLD_FROM_OTHER)
)


def truth(depth):
    """Where the other camera sees what the pixels (h, w) show at a depth."""
    pixels = np.stack(np.meshgrid(np.arange(60), np.arange(40)), -1).reshape(-1, 2).astype(float)
    world = transform_points(WORLD_FROM_CAM, depth * CAMERA.rays(pixels))
    return OTHER.project(transform_points(inverse_rigid(WORLD_FROM_OTHER), world))


@pytest.mark.parametrize("transfer", [TRANSFER, TRANSFER.single()])
@pytest.mark.parametrize("depth", [4.0, 9.0])
def test_pixels_go_where_the_other_camera_sees_their_points(transfer, depth):
    u, v, w = transfer.project(np.full((40, 60), 1 / depth, np.float32))
    assert u.dtype == v.dtype == w.dtype == np.float32
    found = np.stack([u / w, v / w], axis=-1).reshape(-1, 2)
    np.testing.assert_allclose(found, truth(depth), atol=1e-3)


def test_points_far_away_lie_at_infinity():
    u, v, w = TRANSFER.at_infinity((40, 60))
    found = np.stack([u / w, v / w], axis=-1).reshape(-1, 2)
    np.testing.assert_allclose(found, truth(1e9), atol=1e-3)


def test_the_homography_of_a_plane_takes_its_pixels_there():
    there = TRANSFER.plane_homography(0.25) @ np.array([12.0, 30.0, 1.0])
    np.testing.assert_allclose(there[:2] / there[2], truth(4.0)[30 * 60 + 12])
