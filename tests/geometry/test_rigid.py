import numpy as np
import pytest

from mvrecon.geometry.rigid import (
    inverse_rigid,
    quaternion_from_rotation,
    rigid,
    rotation_angle_rad,
    rotation_from_quaternion,
    transform_points,
)


def random_rotation(seed):
    return rotation_from_quaternion(np.random.default_rng(seed).normal(size=4))


@pytest.mark.parametrize("seed", range(6))
def test_quaternion_and_rotation_are_inverse(seed):
    rotation = random_rotation(seed)
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(rotation) == pytest.approx(1.0)
    back = rotation_from_quaternion(quaternion_from_rotation(rotation))
    np.testing.assert_allclose(back, rotation, atol=1e-12)


@pytest.mark.parametrize("axis", range(3))
def test_half_turns_survive_the_quaternion(axis):
    rotation = -np.eye(3)
    rotation[axis, axis] = 1.0
    back = rotation_from_quaternion(quaternion_from_rotation(rotation))
    np.testing.assert_allclose(back, rotation, atol=1e-12)


def test_known_rotation():
    quarter = np.array([np.sqrt(0.5), 0.0, 0.0, np.sqrt(0.5)])
    np.testing.assert_allclose(
        rotation_from_quaternion(quarter) @ [1.0, 0.0, 0.0], [0.0, 1.0, 0.0], atol=1e-12
    )


def test_inverse_of_one_and_of_a_stack():
    transforms = np.stack([rigid(random_rotation(i), np.arange(3.0) + i) for i in range(4)])
    np.testing.assert_allclose(
        inverse_rigid(transforms) @ transforms, np.tile(np.eye(4), (4, 1, 1)), atol=1e-12
    )
    points = np.random.default_rng(0).normal(size=(5, 3))
    there = transform_points(transforms[2], points)
    np.testing.assert_allclose(
        transform_points(inverse_rigid(transforms[2]), there), points, atol=1e-12
    )


@pytest.mark.parametrize("angle", [0.0, 1e-8, 0.3, 3.0, np.pi])
def test_angle(angle):
    cosine, sine = np.cos(angle), np.sin(angle)
    rotation = np.array([[1, 0, 0], [0, cosine, -sine], [0, sine, cosine]])
    assert rotation_angle_rad(rotation) == pytest.approx(angle, abs=1e-12)
