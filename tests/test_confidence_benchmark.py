"""How a confidence is judged and fitted."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.measures import confidence
from benchmarks.tools import confidence_fit


def test_the_error_of_a_calibration() -> None:
    confidence_n = np.float32([0.95, 0.95, 0.95, 0.95, 0.35, 0.35])
    right_n = np.array([True, True, True, False, True, False])
    expected = (4 * abs(0.95 - 0.75) + 2 * abs(0.35 - 0.5)) / 6
    assert confidence.calibration_error(confidence_n, right_n) == pytest.approx(expected)


def test_the_area_under_a_curve_counts_pairs_in_order() -> None:
    confidence_n = np.float32([0.9, 0.6, 0.5, 0.1])
    right_n = np.array([True, False, True, False])
    assert confidence.area_under_curve(confidence_n, right_n) == pytest.approx(3 / 4)


def test_a_logistic_model_is_found_again() -> None:
    random = np.random.default_rng(0)
    terms_nk = np.column_stack([random.normal(size=(40_000, 2)), np.ones(40_000)])
    weights_k = np.array([1.5, -0.7, 0.3])
    right_n = random.random(40_000) < 1 / (1 + np.exp(-terms_nk @ weights_k))
    found_k = confidence_fit.logistic_regression(terms_nk.astype(np.float32), right_n)
    np.testing.assert_allclose(found_k, weights_k, atol=0.06)
