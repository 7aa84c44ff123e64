from __future__ import annotations

import numpy as np

from stages.depth.learned.plane_filling import fill_by_planes

HEIGHT, WIDTH = 48, 64


def plane(slope: float, height: float) -> np.ndarray:
    """Inverse depth of a slanted plane."""
    x_w = np.arange(WIDTH, dtype=np.float32)
    y_h1 = np.arange(HEIGHT, dtype=np.float32)[:, None]
    return (height + slope * x_w + 0.5 * slope * y_h1).astype(np.float32)


def test_what_is_uncertain_goes_on_as_a_plane() -> None:
    truth_hw = plane(0.004, 0.6)
    estimate_hw, error_hw = truth_hw.copy(), np.full_like(truth_hw, 0.01)
    estimate_hw[:, -8:] *= 0.4
    error_hw[:, -8:] = 0.5
    grey_hw3 = np.full((HEIGHT, WIDTH, 3), 0.5, np.float32)
    found_hw = fill_by_planes(estimate_hw, error_hw, grey_hw3)
    before_hw, after_hw = (np.abs(values / truth_hw - 1) for values in (estimate_hw, found_hw))
    assert after_hw[:, -8:].mean() < 0.35 * before_hw[:, -8:].mean()
    assert after_hw[:, :-16].max() < 0.02


def test_noise_goes_and_an_edge_of_the_image_stays() -> None:
    truth_hw = plane(0.001, 0.6)
    truth_hw[:, WIDTH // 2 :] += 0.5
    image_hw3 = np.zeros((HEIGHT, WIDTH, 3), np.float32)
    image_hw3[:, WIDTH // 2 :] = 0.8
    noise_hw = np.random.default_rng(1).normal(0, 0.02, truth_hw.shape).astype(np.float32)
    found_hw = fill_by_planes(truth_hw + noise_hw, np.full_like(truth_hw, 0.03), image_hw3)
    assert (found_hw - truth_hw).std() < 0.6 * noise_hw.std()
    step_h = found_hw[:, WIDTH // 2] - found_hw[:, WIDTH // 2 - 1]
    assert step_h.mean() > 0.4


def test_the_unit_does_not_matter_and_what_is_sure_stays() -> None:
    truth_hw = plane(0.004, 0.6)
    grey_hw3 = np.random.default_rng(2).random((HEIGHT, WIDTH, 3)).astype(np.float32)
    sure_hw = np.full_like(truth_hw, 0.001)
    wavy_hw = truth_hw + np.float32(0.05) * np.sin(np.arange(WIDTH, dtype=np.float32) / 6)
    one, other = (fill_by_planes(wavy_hw * scale, sure_hw, grey_hw3) for scale in (1.0, 1000.0))
    np.testing.assert_allclose(other / 1000.0, one, rtol=1e-3)
    assert np.abs(one - wavy_hw).max() < 0.03
