from __future__ import annotations

from dataclasses import replace

import numpy as np

from mvrecon.artifacts.depth import DepthMap
from mvrecon.multiview.consensus import fuse
from mvrecon.multiview.reprojection import free_space_violations, see_from
from tests.stages.depth.scenes import BEHIND, CAMERA, FRONT, POSES, SLANTED, Plane, render

TOLERANCE = 0.03


def maps_of(planes: list[Plane], noise: float = 0.0, confidence: float = 0.8) -> list[DepthMap]:
    rng = np.random.default_rng(0)
    maps = []
    for pose in POSES:
        depth_hw = render(planes, CAMERA, pose)[1]
        depth_hw = depth_hw * (1 + noise * rng.standard_normal(depth_hw.shape)).astype(np.float32)
        maps.append(DepthMap(depth_hw, np.full_like(depth_hw, confidence), CAMERA.k_33, pose))
    return maps


def relative_error(fused: DepthMap, truth_hw: np.ndarray) -> np.ndarray:
    return np.abs(fused.depth_hw - truth_hw) / truth_hw


def test_reprojection_shows_the_surface_in_front() -> None:
    planes = [BEHIND, FRONT]
    view, other = maps_of(planes)[:2]
    seen = see_from(view, other)
    known_hw = seen.inverse_depth_hw > 0
    error_hw = np.abs(seen.inverse_depth_hw * view.depth_hw - 1)
    assert known_hw.mean() > 0.7
    assert np.mean(error_hw[known_hw] < 0.01) > 0.97
    assert np.all((seen.confidence_hw > 0) == known_hw)


def test_exact_maps_stay_exact() -> None:
    view, *others = maps_of([BEHIND, FRONT])
    fused = fuse(view, others, TOLERANCE)
    error_hw = relative_error(fused, view.depth_hw)
    assert np.median(error_hw) < 0.002
    assert np.mean(error_hw < 0.01) > 0.97


def test_noise_is_averaged_down() -> None:
    truth_hw = render([SLANTED], CAMERA, POSES[0])[1]
    view, *others = maps_of([SLANTED], noise=0.008)
    inner = np.s_[15:-15, 25:-25]
    before = relative_error(view, truth_hw)[inner]
    after = relative_error(fuse(view, others, TOLERANCE), truth_hw)[inner]
    assert after.mean() < 0.7 * before.mean()


def test_planted_outliers_are_replaced() -> None:
    view, *others = maps_of([SLANTED])
    rng = np.random.default_rng(1)
    bad_hw = rng.random(view.depth_hw.shape) < 0.15
    factor_hw = np.where(rng.random(bad_hw.shape) < 0.5, 0.6, 1.7).astype(np.float32)
    spoilt = replace(view, depth_hw=np.where(bad_hw, factor_hw * view.depth_hw, view.depth_hw))
    inner = np.s_[15:-15, 25:-25]
    error_hw = relative_error(fuse(spoilt, others, TOLERANCE), view.depth_hw)[inner]
    assert np.mean(error_hw[bad_hw[inner]] < 0.02) > 0.97


def test_holes_are_filled_from_neighbours() -> None:
    view, *others = maps_of([SLANTED])
    hole_hw = np.zeros(view.depth_hw.shape, bool)
    hole_hw[40:80, 60:100] = True
    holed = replace(view, depth_hw=np.where(hole_hw, 0, view.depth_hw).astype(np.float32))
    fused = fuse(holed, others, TOLERANCE)
    assert np.all(fused.depth_hw[hole_hw] > 0)
    assert np.percentile(relative_error(fused, view.depth_hw)[hole_hw], 99) < 0.02


def test_a_point_that_others_look_through_is_trusted_less() -> None:
    view, *others = maps_of([BEHIND])
    floating_hw = np.zeros(view.depth_hw.shape, bool)
    floating_hw[50:70, 70:90] = True
    depth_hw = np.where(floating_hw, np.float32(3.0), view.depth_hw)
    inverse_hw = (1 / depth_hw).astype(np.float32)
    seen_through = sum(
        free_space_violations(view, inverse_hw, other, TOLERANCE) for other in others
    )
    assert np.all(seen_through[floating_hw] > 1)
    assert np.median(seen_through[~floating_hw]) == 0


def test_confidence_falls_where_maps_disagree() -> None:
    view, *others = maps_of([SLANTED], confidence=0.6)
    spoilt = [
        replace(other, depth_hw=np.where(np.arange(160) < 80, other.depth_hw, other.depth_hw * f))
        for other, f in zip(others, (0.7, 1.4, 1.9, 0.5), strict=True)
    ]
    fused = fuse(view, spoilt, TOLERANCE)
    left, right = fused.confidence_hw[20:-20, 35:60], fused.confidence_hw[20:-20, 100:125]
    assert left.mean() > right.mean() + 0.2


def test_units_do_not_matter() -> None:
    maps = maps_of([BEHIND, FRONT], noise=0.01)
    scaled = []
    for depth_map in maps:
        pose = depth_map.world_from_cam.copy()
        pose[:3, 3] *= 256
        scaled.append(replace(depth_map, depth_hw=depth_map.depth_hw * 256, world_from_cam=pose))
    small, large = fuse(maps[0], maps[1:], TOLERANCE), fuse(scaled[0], scaled[1:], TOLERANCE)
    np.testing.assert_allclose(large.depth_hw, 256 * small.depth_hw, rtol=1e-4)
    np.testing.assert_allclose(large.confidence_hw, small.confidence_hw, atol=1e-3)


def test_a_view_alone_keeps_its_depth() -> None:
    view = maps_of([SLANTED])[0]
    np.testing.assert_allclose(fuse(view, [], TOLERANCE).depth_hw, view.depth_hw, rtol=1e-4)
