import copy

import numpy as np
import pytest
from evo.core import metrics as evo_metrics
from evo.core import trajectory as evo_trajectory

from mvrecon.evaluation.metrics.trajectory import (
    align_centres,
    align_poses,
    rotation_angles_deg,
    trajectory_errors,
)
from mvrecon.geometry.similarity import Similarity
from mvrecon.synthetic.paths import HandArc

ARC = HandArc((0.0, 0.0, 0.0), 1.0, (0.3, 0.6), 10.0, 80.0)


def rotation(axis, degrees):
    axis = np.asarray(axis, float) / np.linalg.norm(axis)
    x, y, z = axis
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    angle = np.radians(degrees)
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


@pytest.fixture
def truth():
    return ARC.poses(np.arange(40) / 10, seed=1)


@pytest.fixture
def estimate(truth):
    """The truth with noise, seen in a world that is turned, moved and 2.5 times as large."""
    rng = np.random.default_rng(0)
    world = Similarity(2.5, rotation([1, 2, 3], 70), np.array([4.0, -1.0, 2.0]))
    noisy = truth.copy()
    for pose in noisy:
        pose[:3, :3] = rotation(rng.standard_normal(3), rng.normal(0, 1)) @ pose[:3, :3]
        pose[:3, 3] += rng.normal(0, 0.01, 3)
    return np.stack([world.apply_to_pose(pose) for pose in noisy])


def compare(estimate, truth):
    return trajectory_errors(
        estimate, truth, align_centres(estimate, truth), align_poses(estimate, truth)
    )


def evo_error(metric, truth, estimate, align=True):
    stamps = np.arange(len(truth), dtype=float)
    reference = evo_trajectory.PoseTrajectory3D(poses_se3=list(truth), timestamps=stamps)
    candidate = evo_trajectory.PoseTrajectory3D(poses_se3=list(estimate), timestamps=stamps)
    aligned = copy.deepcopy(candidate)
    if align:
        aligned.align(reference, correct_scale=True)
    metric.process_data((reference, aligned))
    return metric.get_all_statistics()


def test_agrees_with_evo(truth, estimate):
    errors = compare(estimate, truth)
    relation = evo_metrics.PoseRelation
    ate = evo_error(evo_metrics.APE(relation.translation_part), truth, estimate)
    world = align_poses(estimate, truth)
    turned = [world.apply_to_pose(pose) for pose in estimate]
    angle = evo_error(evo_metrics.APE(relation.rotation_angle_deg), truth, turned, align=False)
    step = evo_error(evo_metrics.RPE(relation.translation_part, delta=1), truth, estimate)
    turn = evo_error(evo_metrics.RPE(relation.rotation_angle_deg, delta=1), truth, estimate)
    assert errors.ate_rmse == pytest.approx(ate["rmse"], rel=1e-6)
    assert errors.ate_median == pytest.approx(ate["median"], rel=1e-6)
    assert errors.rotation_mean_deg == pytest.approx(angle["mean"], rel=1e-5)
    assert errors.rotation_median_deg == pytest.approx(angle["median"], rel=1e-5)
    assert errors.rpe_translation_rmse == pytest.approx(step["rmse"], rel=1e-6)
    assert errors.rpe_rotation_mean_deg == pytest.approx(turn["mean"], rel=1e-5)
    assert errors.ate_rmse > 0.005


def test_a_perfect_trajectory_in_another_world_has_no_error(truth):
    world = Similarity(0.2, rotation([0, 1, 1], 120), np.array([1.0, 2.0, 3.0]))
    estimate = np.stack([world.apply_to_pose(pose) for pose in truth])
    errors = compare(estimate, truth)
    assert errors.ate_rmse < 1e-12
    assert errors.rotation_mean_deg < 1e-9
    assert errors.rpe_translation_rmse < 1e-12


def test_by_hand_without_alignment():
    truth = np.stack([np.eye(4)] * 3)
    truth[:, 0, 3] = [0, 1, 4]
    estimate = truth.copy()
    estimate[2, 1, 3] = 3.0
    estimate[1, :3, :3] = rotation([0, 0, 1], 30)
    errors = trajectory_errors(estimate, truth, Similarity.identity(), Similarity.identity())
    assert errors.poses == 3
    assert errors.path_length == pytest.approx(4)
    assert errors.ate_rmse == pytest.approx(np.sqrt(3))
    assert errors.ate_median == 0
    assert errors.ate_percent_of_path == pytest.approx(100 * np.sqrt(3) / 4)
    assert errors.rotation_mean_deg == pytest.approx(10)
    assert errors.rpe_rotation_mean_deg == pytest.approx(30)


def test_angles_are_exact_from_tiny_to_half_a_turn():
    for degrees in (1e-6, 1.0, 90.0, 179.9):
        transform = np.eye(4)
        transform[:3, :3] = rotation([1, -2, 0.5], degrees)
        assert rotation_angles_deg(transform[None])[0] == pytest.approx(degrees, rel=1e-6)


def test_two_poses_cannot_be_aligned(truth):
    for align in (align_centres, align_poses):
        with pytest.raises(ValueError, match="3 poses"):
            align(truth[:2], truth[:2])
        with pytest.raises(ValueError, match="coincide"):
            align(np.stack([truth[0]] * 3), truth[:3])


def test_aligning_poses_recovers_the_world(truth):
    world = Similarity(0.2, rotation([0, 1, 1], 120), np.array([1.0, 2.0, 3.0]))
    estimate = np.stack([world.apply_to_pose(pose) for pose in truth])
    found = align_poses(estimate, truth).compose(world)
    assert found.scale == pytest.approx(1)
    np.testing.assert_allclose(found.rotation_33, np.eye(3), atol=1e-12)
    np.testing.assert_allclose(found.translation_3, 0, atol=1e-12)


def test_aligning_poses_is_steady_where_centres_are_not():
    truth = ARC.poses(np.arange(20) / 10, seed=1)
    truth[:, :3, 3] = np.linspace([0, 0, 0], [0.7, 0, 0], 20)
    estimate = truth.copy()
    estimate[:, :3, 3] += np.random.default_rng(0).normal(0, 1e-3, (20, 3))
    turn = np.eye(4)[None].repeat(2, 0)
    turn[0, :3, :3] = align_centres(estimate, truth).rotation_33
    turn[1, :3, :3] = align_poses(estimate, truth).rotation_33
    by_centres_deg, by_poses_deg = rotation_angles_deg(turn)
    assert by_poses_deg < 1e-9
    assert by_centres_deg > 1
