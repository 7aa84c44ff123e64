import numpy as np
import pytest

from mvrecon.errors import NotEnoughDataError
from mvrecon.geometry.rigid import rigid
from stages.pose.mapping.parallax import (
    camera_motion,
    refuse_still_camera,
    rotation_residual_px,
)
from stages.pose.matching.features import FeatureMatches
from tests.stages.pose.scene import CAMERA, Relief, sideways_path, turn

SIZE = (CAMERA.width, CAMERA.height)


def features(poses, noise_px=0.2):
    """Exact matches with the first frame, with noise."""
    relief, rng = Relief(), np.random.default_rng(0)
    xy = rng.uniform([20, 20], [220, 160], (200, 2))
    points = relief.points(poses[0], xy)
    keypoints = tuple(
        (relief.project(pose, points) + rng.normal(scale=noise_px, size=xy.shape)).astype(
            np.float32
        )
        for pose in poses
    )
    rows = np.column_stack([np.arange(200)] * 2)
    count = len(poses)
    pairs = [(a, b) for a in range(count) for b in range(a + 1, count)]
    return FeatureMatches(keypoints, dict.fromkeys(pairs, rows))


def test_a_moving_camera():
    assert camera_motion(features(sideways_path(5)), SIZE) == "moving"


def test_a_static_camera():
    assert camera_motion(features([np.eye(4)] * 5), SIZE) == "static"


@pytest.mark.parametrize("step_rad", [0.02, 0.06])
def test_a_camera_that_only_turns(step_rad):
    poses = [rigid(turn(step_rad * i, 0.3 * step_rad * i), np.zeros(3)) for i in range(5)]
    assert camera_motion(features(poses), SIZE) == "rotation"


def test_a_planar_scene_is_not_taken_for_a_rotation():
    relief = Relief()
    relief_is_flat = type("Flat", (Relief,), {"height": lambda self, x, y: 5.0 + 0.0 * x})()
    assert relief.camera == relief_is_flat.camera
    xy = np.random.default_rng(0).uniform([20, 20], [220, 160], (200, 2))
    first, last = sideways_path(6)[0], sideways_path(6)[-1]
    there = relief_is_flat.project(last, relief_is_flat.points(first, xy))
    rows = np.column_stack([np.arange(200)] * 2)
    found = FeatureMatches((xy.astype(np.float32), there.astype(np.float32)), {(0, 1): rows})
    assert camera_motion(found, SIZE) == "moving"


def test_the_residual_ignores_some_outliers():
    rng = np.random.default_rng(1)
    xy = rng.uniform(-80, 80, (100, 2))
    rays = np.column_stack([xy / 200.0, np.ones(100)]) @ turn(0.1).T
    there = rays[:, :2] / rays[:, 2:] * 200.0
    there[:10] += 50.0
    assert rotation_residual_px(xy, there, 200.0) < 1e-6


def test_no_matches():
    nothing = FeatureMatches((np.zeros((0, 2), np.float32),) * 3, {})
    assert camera_motion(nothing, SIZE) == "none"


@pytest.mark.parametrize(
    ("motion", "words"),
    [("none", "overlap"), ("static", "static camera"), ("rotation", "pure rotation")],
)
def test_each_hopeless_motion_is_named(motion, words):
    with pytest.raises(NotEnoughDataError, match=words):
        refuse_still_camera(motion)


def test_a_moving_camera_is_not_refused():
    refuse_still_camera("moving")
