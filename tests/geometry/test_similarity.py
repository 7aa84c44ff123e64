import numpy as np
import pytest

from mvrecon.geometry.rigid import rotation_from_quaternion
from mvrecon.geometry.similarity import Similarity, align_similarity


def _random_similarity(seed: int) -> Similarity:
    rng = np.random.default_rng(seed)
    return Similarity(
        float(rng.uniform(0.1, 5.0)),
        rotation_from_quaternion(rng.normal(size=4)),
        rng.normal(size=3),
    )


@pytest.mark.parametrize("seed", range(5))
def test_recovers_a_known_similarity(seed):
    expected = _random_similarity(seed)
    source = np.random.default_rng(seed + 100).normal(size=(12, 3))
    found = align_similarity(source, expected.apply(source))
    assert found.scale == pytest.approx(expected.scale)
    np.testing.assert_allclose(found.rotation_33, expected.rotation_33, atol=1e-10)
    np.testing.assert_allclose(found.translation_3, expected.translation_3, atol=1e-10)


def test_mirrored_points_still_get_a_proper_rotation():
    source = np.random.default_rng(1).normal(size=(20, 3))
    found = align_similarity(source, source * [1.0, 1.0, -1.0])
    assert np.linalg.det(found.rotation_33) == pytest.approx(1.0)


def test_rigid_alignment_keeps_the_scale():
    source = np.random.default_rng(2).normal(size=(20, 3))
    found = align_similarity(source, 3.0 * source, with_scale=False)
    assert found.scale == 1.0


def test_noise_is_averaged_out():
    rng = np.random.default_rng(3)
    expected = _random_similarity(3)
    source = rng.normal(size=(2000, 3))
    target = expected.apply(source) + 0.01 * rng.normal(size=source.shape)
    residual = align_similarity(source, target).apply(source) - target
    assert np.sqrt((residual**2).sum(1).mean()) == pytest.approx(0.01 * np.sqrt(3), rel=0.05)


def test_inverse_and_composition():
    first, second = _random_similarity(4), _random_similarity(5)
    points = np.random.default_rng(6).normal(size=(7, 3))
    np.testing.assert_allclose(first.inverse().apply(first.apply(points)), points, atol=1e-10)
    np.testing.assert_allclose(
        second.compose(first).apply(points), second.apply(first.apply(points)), atol=1e-10
    )


def test_pose_moves_with_its_points():
    similarity = _random_similarity(7)
    pose = np.eye(4)
    pose[:3, :3] = rotation_from_quaternion(np.array([0.9, 0.1, 0.3, -0.2]))
    pose[:3, 3] = [1.0, 2.0, 3.0]
    point_cam = np.array([[0.3, -0.2, 4.0]])
    point_world = point_cam @ pose[:3, :3].T + pose[:3, 3]
    moved = similarity.apply_to_pose(pose)
    expected = similarity.apply(point_world)
    found = similarity.scale * point_cam @ moved[:3, :3].T + moved[:3, 3]
    np.testing.assert_allclose(found, expected, atol=1e-10)


@pytest.mark.parametrize(
    ("source", "target"),
    [(np.zeros((3, 3)), np.ones((3, 3))), (np.zeros((0, 3)), np.zeros((0, 3)))],
)
def test_degenerate_points_are_refused(source, target):
    with pytest.raises(ValueError, match=r"coincide|shapes"):
        align_similarity(source, target)
