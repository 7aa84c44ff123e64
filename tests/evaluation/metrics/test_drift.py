import numpy as np
import pytest

from mvrecon.evaluation.metrics.drift import (
    MIN_PARTS,
    ate_over_parts,
    part_figures,
    path_position,
    scale_drift,
)
from mvrecon.geometry.similarity import Similarity
from tests.evaluation.metrics.test_trajectory import rotation

WORLD = Similarity(2.5, rotation([1, 2, 3], 70), np.array([4.0, -1.0, 2.0]))
# A power of two, so that lengths along the path are exact.
STEP = 1 / 8


def straight(length: float, step: float = STEP) -> np.ndarray:
    centres_n3 = np.zeros((round(length / step) + 1, 3))
    centres_n3[:, 0] = step * np.arange(len(centres_n3))
    return centres_n3


def test_a_path_in_another_world_has_no_error_in_any_part() -> None:
    truth_n3 = np.cumsum(np.random.default_rng(0).normal(0, 0.05, (200, 3)), 0)
    errors = ate_over_parts(WORLD.apply(truth_n3), truth_n3, 1)
    assert errors.parts > 100
    assert errors.ate_rmse < 1e-12


@pytest.mark.parametrize("length", [1, 5, 10])
def test_drifting_scale_errs_with_the_square_of_the_length(length: int) -> None:
    """The steps shrink by 1 % a unit: x − 0.005 x², whose misfit to a line is known."""
    truth_n3 = straight(20, 1 / 64)
    estimate_n3 = truth_n3.copy()
    estimate_n3[:, 0] -= 0.01 / 2 * truth_n3[:, 0] ** 2
    errors = ate_over_parts(WORLD.apply(estimate_n3), truth_n3, length)
    # The parts lie at 0…20: relative to the local scale 1 − 0.01 x their drift is a little larger.
    starts = np.linspace(0, 20 - length, 1000)
    local = 0.01 / (1 - 0.01 * (starts + length / 2))
    misfit = length**2 / (6 * np.sqrt(5))
    expected = np.sqrt(np.mean((local / 2 * misfit) ** 2))
    assert errors.ate_rmse == pytest.approx(expected, rel=0.02 if length > 1 else 0.06)


def test_parts_begin_at_every_frame_and_only_those_over_a_seam_err() -> None:
    truth_n3 = straight(4)
    estimate_n3 = truth_n3.copy()
    estimate_n3[16:, 0] += 0.1 * (truth_n3[16:, 0] - 2)
    before = ate_over_parts(estimate_n3[:17], truth_n3[:17], 1)
    whole = ate_over_parts(estimate_n3, truth_n3, 1)
    assert (before.parts, whole.parts) == (9, 25)
    assert before.ate_rmse < 1e-12
    over_seam = [ate_over_parts(estimate_n3[i : i + 10], truth_n3[i : i + 10], 1) for i in (8, 12)]
    assert all(two.parts == 2 for two in over_seam)
    assert 0 < over_seam[0].ate_rmse < over_seam[1].ate_rmse
    assert before.ate_rmse < whole.ate_rmse < over_seam[1].ate_rmse


def test_a_part_ends_where_its_length_is_reached() -> None:
    """Steps of 0.3: a part of 1 has 4 of them, 1.2 long; the last begins at 2.7 of 3.9."""
    errors = ate_over_parts(straight(3.9, 0.3), straight(3.9, 0.3), 1)
    assert errors.parts == 10


@pytest.mark.parametrize(
    ("path", "parts"),
    [
        (straight(0.875), 0),  # no part
        (straight(1), 1),  # a single one
        (straight(5, 0.5), 0),  # parts of three frames
        (np.zeros((20, 3)), 0),  # no path
    ],
)
def test_too_short_a_path_has_no_figure(path: np.ndarray, parts: int) -> None:
    errors = ate_over_parts(path, path, 1)
    assert errors.parts == parts < MIN_PARTS
    assert np.isnan(errors.ate_rmse)
    enough = ate_over_parts(straight(2), straight(2), 1)
    assert set(part_figures({1: errors, 5: enough})) == {"ate_over_5", "parts_of_5"}


def test_an_estimate_that_stands_still_errs_by_the_size_of_the_parts() -> None:
    truth_n3 = straight(4)
    errors = ate_over_parts(0 * truth_n3, truth_n3, 1)
    assert errors.parts == 25
    assert errors.ate_rmse == pytest.approx(truth_n3[:9, 0].std())


@pytest.mark.parametrize("trend_percent", [28.0, -15.0, 0.0])
def test_trend_is_the_change_over_the_path_and_spread_what_is_left(trend_percent: float) -> None:
    position_n = np.linspace(1, 9, 41)
    scale_n = 1.07 * (1 + trend_percent / 100) ** ((position_n - 1) / 8)
    drift = scale_drift(position_n, scale_n)
    assert (drift.maps, drift.path_length) == (41, 8)
    assert drift.trend_percent == pytest.approx(trend_percent, abs=1e-9)
    assert drift.spread_percent < 1e-9
    noisy_n = scale_n * np.exp(0.014 * np.random.default_rng(0).choice([-1, 1], 41))
    drift = scale_drift(position_n, noisy_n)
    assert drift.trend_percent == pytest.approx(trend_percent, abs=2)
    assert drift.spread_percent == pytest.approx(1.4, rel=0.05)


def test_trend_goes_by_the_path_not_by_the_frames() -> None:
    """Half of the maps are taken while the camera hardly moves."""
    position_n = np.concatenate([np.linspace(0, 0.1, 30), np.linspace(0.2, 4, 30)])
    assert scale_drift(position_n, 1.1 ** (position_n / 4)).trend_percent == pytest.approx(10)


def test_single_bad_maps_do_not_turn_the_trend() -> None:
    position_n = np.linspace(0, 5, 21)
    scale_n = 1.1 ** (position_n / 5)
    scale_n[[0, 20]] *= [3, 0.5]
    scale_n[7] = np.nan
    drift = scale_drift(position_n, scale_n)
    assert drift.maps == 20
    assert drift.trend_percent == pytest.approx(10, abs=0.5)
    assert drift.spread_percent > 20  # but they are told


@pytest.mark.parametrize(
    ("position", "scale"),
    [([], []), ([0, 1], [1, 2]), ([0, 1, 2], [1, 2, np.nan]), ([3, 3, 3], [1, 2, 3])],
)
def test_too_few_maps_have_no_trend(position: list[float], scale: list[float]) -> None:
    assert scale_drift(np.array(position, float), np.array(scale, float)) is None


def test_position_is_the_length_of_the_path() -> None:
    corner_n3 = np.array([[0, 0, 0], [3, 4, 0], [3, 4, 0], [3, 4, 2.0]])
    np.testing.assert_array_equal(path_position(corner_n3), [0, 5, 5, 7])
