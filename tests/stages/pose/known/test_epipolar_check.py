"""Known poses against exact matches."""

from dataclasses import replace

import numpy as np
import pytest

from mvrecon.geometry.rigid import rigid
from stages.pose.known.epipolar_check import (
    PosedView,
    better_reading,
    epipolar_error_px,
    fit_focal,
    typical_error_px,
    unfit_views,
    zoom_views,
)
from stages.pose.matching.features import FeatureMatches
from tests.stages.pose.scene import CAMERA, Relief, sideways_path

POSES = sideways_path(4, 0.2)
PAIRS = [(a, b) for a in range(4) for b in range(a + 1, 4)]
VIEWS = {row: PosedView(CAMERA, pose) for row, pose in enumerate(POSES)}


def exact_matches():
    relief = Relief()
    xy = np.random.default_rng(0).uniform([60, 50], [180, 130], (60, 2))
    points = relief.points(POSES[1], xy)
    keypoints = tuple(relief.project(pose, points).astype(np.float32) for pose in POSES)
    return FeatureMatches(keypoints, dict.fromkeys(PAIRS, np.column_stack([np.arange(60)] * 2)))


FEATURES = exact_matches()


def test_true_poses_have_no_error_and_shifted_pixels_theirs():
    assert typical_error_px(FEATURES, VIEWS) < 1e-3
    # Cameras side by side: epipolar lines are level. Sampson's distance shares the error
    # between both images.
    level = {row: PosedView(CAMERA, rigid(np.eye(3), np.array([row, 0.0, 0.0]))) for row in (0, 1)}
    xy = np.random.default_rng(0).uniform(20, 160, (30, 2)).astype(np.float32)
    matches = {(0, 1): np.column_stack([np.arange(30)] * 2)}
    moved = FeatureMatches((xy, xy + np.float32([-9, 2])), matches)
    np.testing.assert_allclose(epipolar_error_px(moved, level, (0, 1)), 2 / np.sqrt(2), rtol=1e-5)


def test_cameras_in_the_same_place_have_no_epipolar_lines():
    views = {**VIEWS, 1: VIEWS[0]}
    assert len(epipolar_error_px(FEATURES, views, (0, 1))) == 0
    assert len(epipolar_error_px(FEATURES, views, (0, 2))) == 60


def test_the_view_that_is_wrong_is_named():
    wrong = POSES[2].copy()
    wrong[1, 3] += 0.4
    views = {**VIEWS, 2: PosedView(CAMERA, wrong)}
    assert unfit_views(FEATURES, views, 1.0) == [2]
    assert unfit_views(FEATURES, VIEWS, 1.0) == []


def test_another_reading_is_found_only_where_it_fits():
    inverse = {
        row: replace(view, world_from_cam=np.linalg.inv(view.world_from_cam))
        for row, view in VIEWS.items()
    }
    assert better_reading(FEATURES, inverse, 0.5) == "cam_from_world"
    assert better_reading(FEATURES, VIEWS, 1e-9) == ""


@pytest.mark.parametrize("factor", [0.6, 1.0, 1.7])
def test_the_focal_length_that_the_poses_need(factor):
    assert fit_focal(FEATURES, zoom_views(VIEWS, factor)) == pytest.approx(1 / factor, rel=5e-3)


def test_without_matches_nothing_can_be_said():
    assert typical_error_px(FeatureMatches.nothing(4), VIEWS) == float("inf")
