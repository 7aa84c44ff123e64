import numpy as np
import pytest

from mvrecon.synthetic.paths import HandArc, look_at

ARC = HandArc(
    target_m=(0.1, 0.2, 0.3), radius_m=1.0, height_m=(0.4, 0.5), from_deg=60.0, to_deg=20.0
)


def test_look_at_puts_the_target_in_the_centre_with_up_upwards():
    pose = look_at(np.array([1.0, 2.0, 1.5]), np.array([0.0, 0.0, 0.5]))
    target_cam = pose[:3, :3].T @ (np.array([0.0, 0.0, 0.5]) - pose[:3, 3])
    np.testing.assert_allclose(target_cam, [0, 0, np.sqrt(6)], atol=1e-12)
    assert np.linalg.det(pose[:3, :3]) == pytest.approx(1)
    assert (pose[:3, :3].T @ [0, 0, 1])[1] < 0


def test_path_is_smooth_and_turns_by_its_arc():
    poses = ARC.poses(np.arange(90) / 30, seed=2)
    centres = poses[:, :3, 3]
    steps = np.linalg.norm(np.diff(centres, axis=0), axis=1)
    assert steps.min() > 0.002 and steps.max() < 0.03
    jerk = np.linalg.norm(np.diff(centres, n=2, axis=0), axis=1)
    assert jerk.max() < 0.3 * steps.mean()
    cosine = (np.trace(poses[0, :3, :3].T @ poses[-1, :3, :3]) - 1) / 2
    assert 25 < np.degrees(np.arccos(cosine)) < 55


def test_path_is_its_seeds():
    times_s = np.arange(10) / 30
    np.testing.assert_array_equal(ARC.poses(times_s, 3), ARC.poses(times_s, 3))
    assert np.abs(ARC.poses(times_s, 3) - ARC.poses(times_s, 4)).max() > 1e-3
