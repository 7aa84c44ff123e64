import numpy as np

from mvrecon.geometry.rigid import (
    interpolate_rigid,
    rigid,
    rotation_angle_rad,
    rotation_from_quaternion,
    transform_points,
)
from mvrecon.geometry.triangulation import essential_matrix, sampson_distance

MOTION = rigid(rotation_from_quaternion(np.array([1.0, 0.05, -0.1, 0.02])), np.array([2.0, 1, 0.5]))


def views(count=200):
    points = np.random.default_rng(0).uniform([-2, -2, 4], [2, 2, 9], (count, 3))
    moved = transform_points(MOTION, points)
    return points[:, :2] / points[:, 2:], moved[:, :2] / moved[:, 2:]


def test_true_matches_lie_on_their_epipolar_lines():
    first, second = views()
    assert sampson_distance(essential_matrix(MOTION), first, second).max() < 1e-12


def test_distance_is_that_by_which_both_points_would_have_to_move():
    first, second = views()
    e_33 = essential_matrix(MOTION)
    lines = np.column_stack([first, np.ones(len(first))]) @ e_33.T
    across = lines[:, :2] / np.linalg.norm(lines[:, :2], axis=1, keepdims=True)
    moved = sampson_distance(e_33, first, second + 1e-4 * across)
    # One point alone would move by 1e-4; both together by less, 1/√2 for equal views.
    assert np.all(moved < 1e-4)
    assert 0.6e-4 < np.median(moved) < 0.8e-4


def test_views_from_one_place_have_no_essential_matrix():
    turned = MOTION.copy()
    turned[:3, 3] = 0
    assert not essential_matrix(turned).any()


def test_interpolation_goes_halfway():
    half = interpolate_rigid(np.eye(4), MOTION, 0.5)
    np.testing.assert_allclose(half[:3, 3], MOTION[:3, 3] / 2)
    angle = rotation_angle_rad(MOTION[:3, :3])
    assert abs(rotation_angle_rad(half[:3, :3]) - angle / 2) < 1e-12
    np.testing.assert_allclose(interpolate_rigid(np.eye(4), MOTION, 1.0), MOTION, atol=1e-12)
