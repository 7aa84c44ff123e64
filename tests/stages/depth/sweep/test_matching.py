from __future__ import annotations

import numpy as np

from stages.depth.sweep.matching import BestViews, ZnccWindow, surface_costs, sweep_costs
from stages.depth.views import transfer_between
from tests.stages.depth.scenes import CAMERA, SLANTED, Plane, render, views_of

WALL = Plane((0, 0, 4), (1, 0, 0), (0, 1, 0), 8.0, seed=5)


def test_correlation_ignores_exposure() -> None:
    gray_hw = views_of([WALL])[0].gray_hw
    cost_hw = ZnccWindow(gray_hw, 7).cost(0.6 * gray_hw + 30)
    assert np.median(cost_hw) < 0.05


def test_without_texture_nothing_matches_well() -> None:
    rng = np.random.default_rng(0)
    first, second = (rng.normal(100, 0.5, (40, 60)).astype(np.float32) for _ in range(2))
    assert ZnccWindow(first, 7).cost(second).min() > 0.8


def test_sweep_is_cheapest_at_the_true_plane() -> None:
    view, *others = views_of([WALL])
    transfers = [transfer_between(view, other) for other in others]
    inverse_depths = np.linspace(0.15, 0.35, 21)
    costs_hdw = sweep_costs(view, others, transfers, inverse_depths, 7)
    best_hw = inverse_depths[costs_hdw.argmin(axis=1)]
    assert np.mean(np.abs(best_hw - 0.25) < 0.011) > 0.97


def test_windows_follow_a_slanted_surface() -> None:
    view, *others = views_of([SLANTED])
    transfers = [transfer_between(view, other) for other in others]
    truth_hw = 1.0 / render([SLANTED], CAMERA, np.eye(4))[1]
    offsets = np.array([-0.01, 0.0, 0.01])
    costs_hdw = surface_costs(
        view, others, transfers, surface_hw=truth_hw, offsets=offsets, window_px=5
    )
    assert np.mean(costs_hdw.argmin(axis=1) == 1) > 0.95


def test_half_of_the_views_is_enough() -> None:
    best = BestViews(4, (1, 1))
    everywhere = np.ones((1, 1), bool)
    for cost in (1.0, 0.1, 0.9, 0.2):
        best.add(np.full((1, 1), cost, np.float32), everywhere)
    worse = BestViews(4, (1, 1))
    for cost in (1.0, 0.1, 0.9, 0.9):
        worse.add(np.full((1, 1), cost, np.float32), everywhere)
    assert best.mean()[0, 0] < worse.mean()[0, 0]
    assert best.mean()[0, 0] < 0.4


def test_views_that_do_not_see_a_pixel_have_no_say() -> None:
    best = BestViews(2, (1, 1))
    best.add(np.full((1, 1), 0.1, np.float32), np.ones((1, 1), bool))
    best.add(np.full((1, 1), 0.0, np.float32), np.zeros((1, 1), bool))
    assert 0.1 < best.mean()[0, 0] < 0.6
