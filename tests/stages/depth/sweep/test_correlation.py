from __future__ import annotations

import cv2
import numpy as np
import pytest

from stages.depth.sweep.correlation import Windows

RNG = np.random.default_rng(3)
GRAY_HW = cv2.GaussianBlur(RNG.uniform(0, 255, (19, 26)).astype(np.float32), (0, 0), 1.0)


def costs(
    others_nhw: np.ndarray, seen_nhw: np.ndarray | None = None, size_px: int = 7
) -> np.ndarray:
    """Costs against `GRAY_HW`, 0…127."""
    seen_nhw = np.ones(others_nhw.shape, bool) if seen_nhw is None else seen_nhw
    out_hw = np.empty(GRAY_HW.shape, np.uint8)
    Windows.of(GRAY_HW, size_px).costs(others_nhw.astype(np.float32), seen_nhw, out_hw)
    return out_hw


def correlation_of_one_window(other_hw: np.ndarray, y: int, x: int, size_px: int) -> float:
    """By the definition; noise of variance 8 added to both."""
    radius = size_px // 2
    patches = [
        np.pad(image_hw, radius, mode="symmetric")[y : y + size_px, x : x + size_px].ravel()
        for image_hw in (GRAY_HW.astype(float), other_hw.astype(float))
    ]
    (first, second), both = (patch - patch.mean() for patch in patches), 8.0
    return float(np.mean(first * second) / np.sqrt((first.var() + both) * (second.var() + both)))


@pytest.mark.parametrize("size_px", [3, 5, 7, 11])
def test_costs_follow_the_definition(size_px: int) -> None:
    others_nhw = GRAY_HW + RNG.normal(0, 30, (3, *GRAY_HW.shape))
    seen_nhw = RNG.uniform(size=others_nhw.shape) < 0.7
    found_hw = costs(others_nhw, seen_nhw, size_px)
    for y, x in [(0, 0), (0, 13), (9, 25), (18, 12), (10, 10), (5, 2)]:
        views = [
            np.clip(1 - correlation_of_one_window(other_hw, y, x, size_px), 0, 1)
            for other_hw, seen_hw in zip(others_nhw, seen_nhw, strict=True)
            if seen_hw[y, x]
        ]
        best = sorted(views)[: (len(views) + 1) // 2]
        expected = 127 * (sum(best) + 0.5) / (len(best) + 0.5)
        assert abs(found_hw[y, x] - expected) <= 1.01


def test_correlation_ignores_exposure() -> None:
    assert np.median(costs((0.6 * GRAY_HW + 30)[None])) < 127 * (0.5 + 0.1) / 1.5


def test_without_texture_nothing_matches_well() -> None:
    flat_hw = RNG.normal(100, 0.5, (2, 40, 60)).astype(np.float32)
    out_hw = np.empty((40, 60), np.uint8)
    Windows.of(flat_hw[0], 7).costs(flat_hw[1:], np.ones((1, 40, 60), bool), out_hw)
    assert out_hw.min() > 0.8 * 127


def test_half_of_the_views_is_enough() -> None:
    unlike_hw = RNG.uniform(0, 255, GRAY_HW.shape)
    half = np.stack([GRAY_HW, unlike_hw, GRAY_HW, unlike_hw])
    fewer = np.stack([GRAY_HW, unlike_hw, unlike_hw, unlike_hw])
    assert costs(half).max() < 0.4 * 127
    assert np.median(costs(fewer)) > 0.45 * 127


def test_views_that_do_not_see_a_pixel_have_no_say() -> None:
    others_nhw = np.stack([GRAY_HW, GRAY_HW])
    seen_nhw = np.ones(others_nhw.shape, bool)
    seen_nhw[:, 4, 5] = False
    seen_nhw[1, 8, 9] = False
    found_hw = costs(others_nhw, seen_nhw)
    assert found_hw[4, 5] == 127
    assert found_hw[8, 9] == found_hw[9, 9] < 127
