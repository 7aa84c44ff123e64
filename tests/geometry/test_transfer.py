import numpy as np
import pytest
import torch

from mvrecon.geometry.camera import Camera
from mvrecon.geometry.transfer import PixelTransfer

FIRST = Camera(40, 30, 35.0, 36.0, 19.0, 14.0)
SECOND = Camera(50, 40, 45.0, 44.0, 24.0, 20.0)
FIRST_FROM_WORLD = np.eye(4)
SECOND_FROM_WORLD = np.array(
    [[0.96, 0, 0.28, -0.3], [0, 1, 0, 0.1], [-0.28, 0, 0.96, 0.2], [0, 0, 0, 1.0]]
)
DEPTH = 2.5


@pytest.fixture
def transfer():
    return PixelTransfer.between(FIRST, FIRST_FROM_WORLD, SECOND, SECOND_FROM_WORLD)


def expected(x: float, y: float, depth: float) -> tuple[np.ndarray, float]:
    """The pixel in the second view and the depth there, by way of the point in the world."""
    xyz_3 = np.append(FIRST.normalize(np.array([[x, y]]))[0], 1.0) * depth
    seen_3 = SECOND_FROM_WORLD[:3, :3] @ xyz_3 + SECOND_FROM_WORLD[:3, 3]
    return SECOND.project(seen_3[None])[0], float(seen_3[2])


@pytest.mark.parametrize(("x", "y"), [(0, 0), (39, 0), (12, 29)])
def test_all_ways_to_project_agree_with_the_cameras(transfer, x, y):
    xy_2, depth = expected(x, y, DEPTH)
    depth_hw = np.full((30, 40), DEPTH, np.float32)
    u_hw, v_hw, z_hw = transfer.project_depth(depth_hw)
    np.testing.assert_allclose(
        [u_hw[y, x] / z_hw[y, x], v_hw[y, x] / z_hw[y, x], z_hw[y, x]], [*xy_2, depth], rtol=1e-4
    )
    for exact_rays in (False, True):
        u_hw, v_hw, w_hw = transfer.project(1 / depth_hw, exact_rays)
        assert u_hw.dtype == np.float32
        np.testing.assert_allclose([u_hw[y, x], v_hw[y, x]] / w_hw[y, x], xy_2, rtol=1e-4)
    u, v, z = transfer.project_pixels(*torch.tensor([x, y, DEPTH], dtype=torch.float64))
    np.testing.assert_allclose([float(u / z), float(v / z), float(z)], [*xy_2, depth], rtol=1e-9)


def test_a_plane_moves_by_its_homography(transfer):
    xy_2, _ = expected(7, 11, DEPTH)
    moved_3 = transfer.plane_homography(1 / DEPTH) @ [7, 11, 1]
    np.testing.assert_allclose(moved_3[:2] / moved_3[2], xy_2)


def test_the_disparity_is_the_length_of_the_path(transfer):
    near_2, far_2 = (expected(20, 15, depth)[0] for depth in (1.0, 4.0))
    found_px = transfer.disparity_px(np.array([[20.0, 15.0]]), 1.0, 0.25)
    assert found_px == pytest.approx(float(np.linalg.norm(near_2 - far_2)))


@pytest.mark.parametrize("is_single", [False, True])
def test_points_far_away_lie_at_infinity(transfer, is_single):
    xy_2, _ = expected(39, 29, 1e9)
    used = transfer.single() if is_single else transfer
    u_hw, v_hw, w_hw = used.at_infinity((30, 40))
    assert u_hw.dtype == v_hw.dtype == w_hw.dtype == np.float32
    np.testing.assert_allclose([u_hw[29, 39], v_hw[29, 39]] / w_hw[29, 39], xy_2, atol=1e-3)
