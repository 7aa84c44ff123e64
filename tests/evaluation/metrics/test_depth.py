import numpy as np
import pytest

from mvrecon.evaluation.metrics.depth import (
    DepthErrors,
    JudgedDepth,
    abs_rel_by_confidence,
    depth_errors,
    mean_curve,
    mean_over_images,
    median_scale,
    temporal_flicker,
)

NAN = float("nan")


def test_by_hand():
    truth = np.array([[1.0, 2.0, 4.0], [5.0, 0.0, 8.0]], np.float32)
    estimate = np.array([[1.1, 1.0, 4.0], [0.0, 3.0, 9.6]], np.float32)
    errors = depth_errors(estimate, truth)
    assert errors.coverage == pytest.approx(4 / 5)
    assert errors.abs_rel == pytest.approx((0.1 + 0.5 + 0 + 0.2) / 4)
    assert errors.median_rel == pytest.approx(0.15)
    assert errors.rmse == pytest.approx(np.sqrt((0.01 + 1 + 0 + 2.56) / 4))
    assert errors.delta_125 == pytest.approx(3 / 4)


def test_ratio_counts_both_ways():
    truth = np.full((1, 2), 2.0, np.float32)
    estimate = np.array([[2.6, 1.5]], np.float32)
    assert depth_errors(estimate, truth).delta_125 == 0
    assert depth_errors(np.array([[2.4, 1.7]], np.float32), truth).delta_125 == 1


def test_nothing_in_common_is_no_number():
    truth = np.array([[1.0, 0.0]], np.float32)
    errors = depth_errors(np.array([[0.0, 1.0]], np.float32), truth)
    assert errors.coverage == 0
    assert np.isnan([errors.abs_rel, errors.median_rel, errors.rmse, errors.delta_125]).all()
    assert np.isnan(median_scale(np.zeros((1, 2), np.float32), truth))


def test_median_scale_undoes_a_factor():
    rng = np.random.default_rng(0)
    truth = rng.uniform(1, 5, (20, 30)).astype(np.float32)
    estimate = truth / 3
    estimate[:4] = 100
    assert median_scale(estimate, truth) == pytest.approx(3, rel=1e-5)


def test_sure_pixels_first():
    truth = np.ones((1, 100), np.float32)
    error = np.linspace(0, 0.99, 100, dtype=np.float32)[None]
    curve = abs_rel_by_confidence(1 + error, 1 - error, truth)
    assert curve[1.0] == pytest.approx(0.495, rel=1e-4)
    assert curve[0.1] == pytest.approx(0.045, rel=1e-4)
    assert curve[0.5] == pytest.approx(0.245, rel=1e-4)
    wrong_way = abs_rel_by_confidence(1 + error, error, truth)
    assert wrong_way[0.1] == pytest.approx(0.945, rel=1e-4)
    assert wrong_way[1.0] == pytest.approx(curve[1.0])


def test_curve_ignores_pixels_without_depth():
    truth = np.array([[1.0, 1.0, 0.0]], np.float32)
    estimate = np.array([[1.5, 0.0, 7.0]], np.float32)
    curve = abs_rel_by_confidence(estimate, np.ones((1, 3), np.float32), truth)
    assert curve[1.0] == pytest.approx(0.5)
    nothing = abs_rel_by_confidence(0 * estimate, np.ones((1, 3), np.float32), truth)
    assert np.isnan(list(nothing.values())).all()


def test_mean_is_over_images_and_skips_what_is_no_number():
    errors = [DepthErrors(1.0, 0.1, 0.1, 1.0, 1.0), DepthErrors(0.0, NAN, NAN, NAN, NAN)]
    mean = mean_over_images([*errors, DepthErrors(0.5, 0.3, 0.2, 2.0, 0.5)])
    assert mean.coverage == pytest.approx(0.5)
    assert mean.abs_rel == pytest.approx(0.2)
    assert mean.rmse == pytest.approx(1.5)
    one, two = (dict.fromkeys((0.1, 0.25, 0.5, 0.75, 0.8, 0.9, 1.0), v) for v in (0.2, 0.4))
    assert mean_curve([one, two])[0.5] == pytest.approx(0.3)


def judged(estimate_hw: np.ndarray, truth_hw: np.ndarray, x: float = 0.0) -> JudgedDepth:
    pose = np.eye(4)
    pose[0, 3] = x
    k_33 = np.array([[50.0, 0, 19.5], [0, 50.0, 14.5], [0, 0, 1]])
    return JudgedDepth(estimate_hw.astype(np.float32), truth_hw.astype(np.float32), k_33, pose)


def test_a_wrong_but_steady_scene_does_not_flicker() -> None:
    truth_hw = np.full((30, 40), 4.0)
    first, second = judged(1.3 * truth_hw, truth_hw), judged(1.3 * truth_hw, truth_hw, x=0.4)
    assert temporal_flicker(first, second) == pytest.approx(0.0, abs=1e-6)


def test_flicker_is_the_change_of_a_points_relative_depth() -> None:
    truth_hw = np.full((30, 40), 4.0)
    first, second = judged(1.1 * truth_hw, truth_hw), judged(0.95 * truth_hw, truth_hw, x=0.4)
    assert temporal_flicker(first, second) == pytest.approx(0.15, abs=1e-5)


def test_flicker_follows_points_not_pixels() -> None:
    """The error moves with the surface: 0.4 units at depth 4 and focal length 50 are 5 px."""
    rng = np.random.default_rng(0)
    truth_hw = np.full((30, 40), 4.0)
    factor_hw = 1 + 0.1 * rng.standard_normal((30, 40))
    moved_hw = np.roll(factor_hw, -5, axis=1)
    still = judged(factor_hw * truth_hw, truth_hw)
    assert temporal_flicker(still, judged(moved_hw * truth_hw, truth_hw, x=0.4)) < 1e-5
    assert temporal_flicker(still, judged(factor_hw * truth_hw, truth_hw, x=0.4)) > 0.05


def test_what_is_hidden_from_one_view_does_not_count() -> None:
    truth_hw = np.full((30, 40), 4.0)
    front_hw = truth_hw.copy()
    front_hw[:, 10:30] = 2.0
    second = judged(np.where(front_hw < 4, 0.5, 1.0) * front_hw, front_hw, x=0.0)
    assert temporal_flicker(judged(truth_hw, truth_hw), second) == pytest.approx(0.0, abs=1e-6)
    nothing = judged(0 * truth_hw, truth_hw)
    assert np.isnan(temporal_flicker(nothing, second))
