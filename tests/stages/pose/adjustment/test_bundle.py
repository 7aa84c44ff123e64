"""Derivatives against differences, and what an adjustment must reach."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from stages.pose.adjustment.bundle import Freedom, adjust
from stages.pose.adjustment.cameras import (
    Cameras,
    Observations,
    Step,
    linearize,
    residuals,
    rotations,
)

FRAMES, POINTS = 6, 60


@pytest.fixture
def problem() -> tuple[Cameras, Observations]:
    rng = np.random.default_rng(2)
    frame, point = np.meshgrid(np.arange(FRAMES), np.arange(POINTS))
    cameras = Cameras(
        rotation_n33=rotations(rng.normal(0, 0.1, (FRAMES, 3))),
        translation_n3=rng.normal(0, 0.3, (FRAMES, 3)),
        xyz_p3=rng.uniform([-1, -1, 3], [1, 1, 5], (POINTS, 3)),
        log_focal_n=np.log(500.0) + rng.normal(0, 0.02, FRAMES),
        centre_2=np.array([319.5, 239.5]),
        radial_2=np.array([0.05, -0.02]),
        readout_s=0.02,
    )
    blank = Observations(
        frame.ravel(), point.ravel(), np.zeros((frame.size, 2)), rng.normal(0, 30, (frame.size, 2))
    )
    return cameras, replace(blank, xy_m2=residuals(cameras, blank))


def nothing() -> Step:
    return Step(np.zeros((FRAMES, 6)), np.zeros((POINTS, 3)), np.zeros(FRAMES), np.zeros(2), 0.0)


def test_the_observations_of_the_truth_have_no_residual(problem) -> None:
    assert np.abs(residuals(*problem)).max() < 1e-9


@pytest.mark.parametrize("parameter", ["pose", "focal", "radial", "readout", "point"])
def test_derivatives_are_those_of_the_residuals(problem, parameter: str) -> None:
    cameras, seen = problem
    rng, size = np.random.default_rng(3), 1e-6
    linear, step = linearize(cameras, seen), nothing()
    if parameter == "pose":
        step = step._replace(pose_n6=rng.normal(0, 1, (FRAMES, 6)))
        expected = np.einsum("mij,mj->mi", linear.by_pose_m26, step.pose_n6[seen.frame_m])
    elif parameter == "focal":
        step = step._replace(log_focal_n=rng.normal(0, 1, FRAMES))
        expected = linear.by_focal_m2 * step.log_focal_n[seen.frame_m][:, None]
    elif parameter == "radial":
        step = step._replace(radial_2=rng.normal(0, 1, 2))
        expected = linear.by_radial_m22 @ step.radial_2
    elif parameter == "readout":
        step = step._replace(readout_s=1.0)
        expected = linear.by_readout_m2
    else:
        step = step._replace(xyz_p3=rng.normal(0, 1, (POINTS, 3)))
        expected = np.einsum("mij,mj->mi", linear.by_point_m23, step.xyz_p3[seen.point_m])
    small = Step(*(size * part for part in step))
    found = (residuals(cameras.moved(small), seen) - linear.residual_m2) / size
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-2)


def disturbed(cameras: Cameras) -> Cameras:
    rng = np.random.default_rng(4)
    return cameras.moved(
        Step(
            rng.normal(0, 0.01, (FRAMES, 6)),
            rng.normal(0, 0.03, (POINTS, 3)),
            np.full(FRAMES, 0.03),
            np.array([0.02, 0.0]),
            -0.02,
        )
    )


def test_an_adjustment_finds_back_to_the_truth(problem) -> None:
    cameras, seen = problem
    fixed = replace(cameras, log_focal_n=np.full(FRAMES, np.log(500.0)))
    seen = replace(seen, xy_m2=residuals(fixed, replace(seen, xy_m2=0 * seen.xy_m2)))
    found = adjust(disturbed(fixed), seen, np.arange(6.0), Freedom(readout=True), scale_px=1.0)
    assert found.cost < 1e-8
    assert found.cameras.readout_s == pytest.approx(0.02, abs=1e-5)
    assert np.exp(found.cameras.log_focal_n) == pytest.approx(500.0, rel=1e-4)


def test_outliers_do_not_pull(problem) -> None:
    cameras, seen = problem
    fixed = replace(cameras, log_focal_n=np.full(FRAMES, np.log(500.0)))
    xy = residuals(fixed, replace(seen, xy_m2=0 * seen.xy_m2))
    xy[::17] += 40.0
    found = adjust(
        disturbed(fixed), replace(seen, xy_m2=xy), np.arange(6.0), Freedom(readout=True), 0.5
    )
    assert found.cameras.readout_s == pytest.approx(0.02, abs=1e-3)
    assert np.exp(found.cameras.log_focal_n[0]) == pytest.approx(500.0, rel=5e-3)


def test_what_is_not_free_stays(problem) -> None:
    cameras, seen = problem
    start = disturbed(cameras)
    found = adjust(start, seen, np.arange(6.0), Freedom(focal=False, radial=0), 1.0).cameras
    assert found.readout_s == start.readout_s
    np.testing.assert_array_equal(found.log_focal_n, start.log_focal_n)
    np.testing.assert_array_equal(found.radial_2, start.radial_2)


def test_a_step_that_cannot_be_solved_leaves_the_cameras_where_they_are(problem) -> None:
    cameras, seen = problem
    nowhere = replace(seen, xy_m2=np.full_like(seen.xy_m2, np.inf))
    found = adjust(cameras, nowhere, np.arange(6.0), Freedom(readout=True), 1.0).cameras
    np.testing.assert_array_equal(found.rotation_n33, cameras.rotation_n33)
