from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from stages.depth.sweep.hypotheses import (
    depths_of_points,
    inverse_depth_range,
    searched_range,
    sweep_inverse_depths,
)
from stages.depth.views import transfer_between
from tests.stages.depth.scenes import BEHIND, CAMERA, FRONT, frames_of, points_of, render, views_of


def test_range_holds_the_surfaces_and_ignores_stray_points() -> None:
    planes = [BEHIND, FRONT]
    depths = depths_of_points(frames_of(), points_of(planes), 0, [1, 2])
    strays = np.array([0.01, 5000.0])
    bounds = inverse_depth_range(np.concatenate([depths, strays]))
    assert bounds is not None
    far, near = bounds
    truth_hw = render(planes, CAMERA, np.eye(4))[1]
    assert 1 / near < truth_hw.min()
    assert 1 / far > truth_hw.max()
    assert near < 3 / truth_hw.min()


def test_range_scales_with_the_scene() -> None:
    depths = np.random.default_rng(0).uniform(2, 5, 100)
    far, near = inverse_depth_range(depths) or (0, 0)
    assert inverse_depth_range(1000 * depths) == pytest.approx((far / 1000, near / 1000))


def test_too_few_points_give_no_range() -> None:
    assert inverse_depth_range(np.array([1.0, 2.0])) is None


def test_a_step_is_at_most_a_pixel_in_the_widest_pair() -> None:
    views = views_of([FRONT])
    transfers = [transfer_between(views[0], other) for other in views[1:]]
    inverse_depths = sweep_inverse_depths((0.05, 0.5), transfers, 160, 120, 500)
    center = np.array([[80.0, 60.0]])
    steps_px = [
        transfer.disparity_px(center, near, far)
        for transfer in transfers
        for far, near in pairwise(inverse_depths)
    ]
    assert 0.5 < max(steps_px) < 1.3
    np.testing.assert_allclose(np.diff(inverse_depths), inverse_depths[1] - inverse_depths[0])
    assert len(sweep_inverse_depths((0.05, 0.5), transfers, 160, 120, 30)) == 30


def test_where_those_near_see_too_few_points_all_are_asked() -> None:
    frames, points = frames_of(), points_of([BEHIND, FRONT])
    whole = searched_range(frames, points, 0, [1, 2])
    assert whole == inverse_depth_range(depths_of_points(frames, points, 0, [1, 2]))
    elsewhere_m = points.observation_frame_m > 2
    unseen = replace(
        points,
        observation_point_m=points.observation_point_m[elsewhere_m],
        observation_frame_m=points.observation_frame_m[elsewhere_m],
        observation_xy_m2=points.observation_xy_m2[elsewhere_m],
    )
    assert depths_of_points(frames, unseen, 0, [1, 2]).size == 0
    assert searched_range(frames, unseen, 0, [1, 2]) is not None
