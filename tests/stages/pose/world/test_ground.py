import numpy as np
import pytest

from stages.pose.world.canonical import height_above_ground


def ground_scene(rng, tilt=0.1, height=1.5):
    """A floor below cameras, a table and a wall; z up, the floor tilted a little."""
    floor = np.column_stack([rng.uniform(-4, 4, (300, 2)), rng.normal(0, 0.01, 300)])
    table = np.column_stack([rng.uniform(0, 1, (80, 2)), np.full(80, 0.8)])
    wall = np.column_stack([np.full(300, 4.0), rng.uniform(-4, 4, 300), rng.uniform(0, 3, 300)])
    cameras = np.column_stack([rng.uniform(-1, 1, (10, 2)), np.full(10, height)])
    c, s = np.cos(tilt), np.sin(tilt)
    turn = np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])
    return np.concatenate([floor, table, wall]) @ turn.T, cameras @ turn.T


def test_height_is_measured_from_the_largest_level_plane():
    points, cameras = ground_scene(np.random.default_rng(0))
    assert height_above_ground(points, cameras) == pytest.approx(1.5, rel=0.02)


def test_a_steep_plane_is_no_ground():
    points, cameras = ground_scene(np.random.default_rng(0), tilt=np.radians(60))
    found = height_above_ground(points[:300], cameras)
    assert found is None


def test_few_points_are_no_ground():
    points, cameras = ground_scene(np.random.default_rng(0))
    assert height_above_ground(points[:19], cameras) is None
