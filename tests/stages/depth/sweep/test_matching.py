from __future__ import annotations

from dataclasses import replace

import numpy as np

from stages.depth.sweep.matching import surface_costs, sweep_costs
from stages.depth.views import transfer_between
from tests.stages.depth.scenes import CAMERA, SLANTED, Plane, render, views_of

WALL = Plane((0, 0, 4), (1, 0, 0), (0, 1, 0), 8.0, seed=5)


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


def test_what_a_plane_shows_beyond_the_image_is_not_counted() -> None:
    view, other, *_ = views_of([WALL])
    turned = np.array([[0, 0, -1, 0], [0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1]], float)
    beside = replace(other, cam_from_world=turned @ other.cam_from_world)
    costs_hdw = sweep_costs(view, [beside], [transfer_between(view, beside)], np.array([0.25]), 7)
    assert costs_hdw.min() == 127
