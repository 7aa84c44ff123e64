import numpy as np
import pytest

from mvrecon.geometry.rigid import inverse_rigid, rigid, transform_points
from mvrecon.geometry.triangulation import triangulate, triangulation_angle_rad


@pytest.fixture
def views():
    centres = np.array([[0.0, 0.0, 0.0], [1.0, 0.0, 0.1], [0.0, 1.0, -0.2]])
    return inverse_rigid(np.stack([rigid(np.eye(3), centre) for centre in centres]))


def observe(views, points):
    cams = np.stack([transform_points(view, points) for view in views], axis=1)
    return cams[..., :2] / cams[..., 2:]


def test_exact_observations_give_the_points(views):
    points = np.random.default_rng(0).uniform([-1, -1, 3], [1, 1, 9], (50, 3))
    np.testing.assert_allclose(triangulate(views, observe(views, points)), points, atol=1e-6)


def test_unseen_observations_do_not_count(views):
    points = np.random.default_rng(1).uniform([-1, -1, 3], [1, 1, 9], (20, 3))
    seen = observe(views, points)
    seen[:, 2] = 99.0
    weights = np.tile([1.0, 1.0, 0.0], (20, 1))
    np.testing.assert_allclose(triangulate(views, seen, weights), points, atol=1e-6)


def test_point_without_parallax_stays_finite(views):
    same = np.stack([views[0], views[0]])
    assert np.isfinite(triangulate(same, np.zeros((1, 2, 2)))).all()


def test_angle_between_rays():
    angles = triangulation_angle_rad(
        np.array([-1.0, 0.0, 0.0]),
        np.array([1.0, 0.0, 0.0]),
        np.array([[0.0, 0.0, 1.0], [0.0, 0.0, 1e6]]),
    )
    np.testing.assert_allclose(angles, [np.pi / 2, 2e-6], rtol=1e-6)
