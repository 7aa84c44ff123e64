from __future__ import annotations

import numpy as np

from stages.depth.sweep.semi_global import aggregate, ambiguity, best_hypothesis


def costs_of(truth_hw: np.ndarray, hypotheses: int, noise: float, seed: int = 0) -> np.ndarray:
    """V-shaped costs round the true label, with noise."""
    rng = np.random.default_rng(seed)
    labels = np.arange(hypotheses)[None, :, None]
    costs = np.minimum(20 * np.abs(labels - truth_hw[:, None]), 60) + 30
    return np.clip(costs + rng.normal(0, noise, costs.shape), 0, 127).astype(np.uint8)


def test_noise_is_removed_and_edges_stay() -> None:
    truth_hw = np.full((30, 40), 5)
    truth_hw[:, 20:] = 15
    gray_hw = np.where(truth_hw == 5, 50, 200).astype(np.float32)
    costs_hdw = costs_of(truth_hw, 20, noise=40)
    raw_hw = costs_hdw.argmin(axis=1)
    index_hw, _ = best_hypothesis(aggregate(costs_hdw, gray_hw, 5, 100))
    assert np.mean(np.abs(raw_hw - truth_hw) > 2) > 0.1
    assert np.mean(np.abs(index_hw - truth_hw) > 2) < 0.01


def test_a_blank_region_takes_the_depth_around_it() -> None:
    truth_hw = np.full((30, 40), 7)
    costs_hdw = costs_of(truth_hw, 20, noise=0)
    costs_hdw[8:22, 10:30] = 100
    index_hw, _ = best_hypothesis(aggregate(costs_hdw, np.zeros((30, 40), np.float32), 5, 100))
    assert np.all(index_hw == 7)


def test_result_does_not_depend_on_the_direction() -> None:
    truth_hw = np.tile(np.linspace(2, 15, 24).round().astype(int), (24, 1))
    costs_hdw = costs_of(truth_hw, 18, noise=20)
    gray_hw = np.random.default_rng(1).uniform(0, 255, (24, 24)).astype(np.float32)
    total_hdw = aggregate(costs_hdw, gray_hw, 5, 80)
    turned_hdw = aggregate(
        np.ascontiguousarray(costs_hdw[::-1, :, ::-1]),
        np.ascontiguousarray(gray_hw[::-1, ::-1]),
        5,
        80,
    )
    np.testing.assert_array_equal(total_hdw, turned_hdw[::-1, :, ::-1])
    transposed_hdw = aggregate(
        np.ascontiguousarray(costs_hdw.transpose(2, 1, 0)), np.ascontiguousarray(gray_hw.T), 5, 80
    )
    np.testing.assert_array_equal(total_hdw, transposed_hdw.transpose(2, 1, 0))


def test_paths_follow_the_recursion_of_the_method() -> None:
    rng = np.random.default_rng(4)
    costs_hdw = rng.integers(0, 128, (4, 5, 3)).astype(np.uint8)
    gray_hw = rng.uniform(0, 255, (4, 3)).astype(np.float32)
    small, large = 6, 90
    expected_hdw = np.zeros(costs_hdw.shape)
    for dy, dx in [(0, 1), (0, -1), (1, 0), (-1, 0), (1, 1), (1, -1), (-1, 1), (-1, -1)]:
        ends: dict[tuple[int, int], np.ndarray] = {}
        for y in range(4)[:: dy or 1]:
            for x in range(3)[:: dx or 1]:
                before = ends.get((y - dy, x - dx), np.zeros(5))
                jump = 0
                if (y - dy, x - dx) in ends:
                    contrast = abs(float(gray_hw[y, x] - gray_hw[y - dy, x - dx]))
                    jump = int(max(large / (1 + contrast / 8), 1.5 * small))
                padded = np.pad(before, 1, constant_values=np.inf) + small
                reach = np.minimum(padded[:-2], padded[2:])
                reach = np.minimum(np.minimum(reach, before), before.min() + jump)
                ends[y, x] = costs_hdw[y, :, x] + reach - before.min()
                expected_hdw[y, :, x] += ends[y, x]
    np.testing.assert_array_equal(aggregate(costs_hdw, gray_hw, small, large), expected_hdw)


def test_a_single_pixel_costs_what_it_costs() -> None:
    costs_hdw = np.array([[[3], [1], [2]]], np.uint8)
    total_hdw = aggregate(costs_hdw, np.zeros((1, 1), np.float32), 5, 100)
    np.testing.assert_array_equal(total_hdw, 8 * costs_hdw.astype(int))


def test_parabola_finds_the_minimum_between_hypotheses() -> None:
    labels = np.arange(9)[None, :, None]
    total_hdw = (100 * (labels - 4.3) ** 2).astype(np.int16)
    index_hw, position_hw = best_hypothesis(total_hdw)
    assert index_hw[0, 0] == 4
    assert abs(position_hw[0, 0] - 4.3) < 0.02


def test_the_best_at_the_end_of_the_range_stays_there() -> None:
    total_hdw = np.arange(9, dtype=np.int16)[None, :, None]
    _, position_hw = best_hypothesis(total_hdw)
    assert position_hw[0, 0] == 0


def test_ambiguity_counts_the_rivals() -> None:
    total_hdw = np.array([[[0], [50], [500], [40]]], np.int16).reshape(1, 4, 1)
    assert ambiguity(total_hdw, 100)[0, 0] == 0.75
    assert ambiguity(total_hdw, 10)[0, 0] == 0.25
