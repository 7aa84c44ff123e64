from dataclasses import replace

import numpy as np
import pytest

from stages.surface.views import (
    confident_depth,
    depth_noise,
    incidence,
    make_view,
    with_own_depth,
    without_rims,
    world_points,
)
from tests.stages.surface.scenes import (
    CAMERA,
    depth_map,
    distance_to_scene,
    exact_depth,
    make_frames,
)


def square_before_a_wall():
    depth_hw = np.full((CAMERA.height, CAMERA.width), 4.0, np.float32)
    depth_hw[20:50, 30:60] = 2.0
    return depth_hw


def test_own_depth_stands_where_fusion_agrees_with_it():
    frame = make_frames()[0]
    fused = depth_map(frame, np.full((CAMERA.height, CAMERA.width), 2.0, np.float32))
    fused.depth_hw[0, 3] = 0
    own = replace(fused, depth_hw=fused.depth_hw.copy(), confidence_hw=0.1 * fused.confidence_hw)
    own.depth_hw[0, :4] = [2.05, 2.2, 0.0, 2.0]
    found = with_own_depth(fused, own, 0.03)
    np.testing.assert_allclose(found.depth_hw[0, :5], [2.05, 2.0, 2.0, 0.0, 2.0])
    np.testing.assert_array_equal(found.confidence_hw, fused.confidence_hw)
    coarse = replace(
        own, depth_hw=own.depth_hw[::2, ::2], confidence_hw=own.confidence_hw[::2, ::2]
    )
    assert with_own_depth(fused, coarse, 0.03) is fused


def test_only_the_rim_of_what_is_in_front_is_ignored():
    depth_hw = square_before_a_wall()
    trimmed_hw = without_rims(depth_hw, 3 / np.hypot(*depth_hw.shape))
    expected_hw = depth_hw.copy()
    expected_hw[20:50, 30:60] = 0
    expected_hw[23:47, 33:57] = 2.0
    np.testing.assert_array_equal(trimmed_hw, expected_hw)


def test_slanted_surfaces_and_gaps_have_no_rim():
    slanted_hw = np.tile(np.linspace(2, 4, CAMERA.width, dtype=np.float32), (CAMERA.height, 1))
    slanted_hw[10:20, 10:20] = 0
    np.testing.assert_array_equal(without_rims(slanted_hw, 0.01), slanted_hw)


def test_a_view_is_trimmed_only_if_asked_to():
    one = depth_map(make_frames()[0], square_before_a_wall())
    kept, trimmed = (make_view(one, 0.15, 3.0, trim).weight_hw > 0 for trim in (0.0, 0.025))
    assert kept[21, 31]
    assert not trimmed[21, 31]
    assert trimmed[35, 45]
    assert trimmed[5, 5]


def test_incidence_on_a_slanted_plane():
    """Of a plane n·x = d, distance to it for each unit of depth is |n·r|."""
    normal = np.array([0.5, -0.2, -0.8])
    normal /= np.linalg.norm(normal)
    v, u = np.mgrid[0 : CAMERA.height, 0 : CAMERA.width]
    rays = np.stack([(u - CAMERA.cx) / CAMERA.fx, (v - CAMERA.cy) / CAMERA.fy, np.ones(u.shape)], 2)
    depth = (-3.0 / (rays @ normal)).astype(np.float32)
    cosine, slant = incidence(depth, CAMERA.k_33)
    assert np.allclose(slant, np.abs(rays @ normal), atol=2e-3)
    expected = np.abs(rays @ normal) / np.linalg.norm(rays, axis=2)
    assert np.allclose(cosine, expected, atol=2e-3)


def test_noise_is_measured():
    frames = make_frames()
    rng = np.random.default_rng(2)
    maps = {}
    for frame in frames:
        depth = exact_depth(frame)
        noisy = depth * (1 + 0.01 * rng.normal(size=depth.shape))
        maps[frame.name] = depth_map(frame, noisy.astype(np.float32))
    assert 0.008 < depth_noise([frame.name for frame in frames], maps.__getitem__, 0.1) < 0.013


def test_noise_that_neighbours_share_is_measured_between_views_farther_apart():
    frames = [frame for frame in make_frames() for _ in range(8)]
    names = [str(number) for number in range(len(frames))]
    maps = {}
    for name, frame in zip(names, frames, strict=True):
        # Eight views in a row share one error.
        off = np.float32(1.0 + 0.02 * (int(name) // 8 % 2))
        maps[name] = depth_map(frame, (exact_depth(frame) * off).astype(np.float32))
    noise = depth_noise(names, maps.__getitem__, 0.1)
    assert noise == pytest.approx(0.02 / 0.6745 / np.sqrt(2), rel=0.2)


def test_noise_is_not_measured_where_far_views_hardly_overlap():
    frame = make_frames()[0]
    depth_hw = exact_depth(frame)
    left_hw = np.zeros_like(depth_hw)
    left_hw[:, : CAMERA.width // 2 + 4] = 1.0
    right_hw = np.zeros_like(depth_hw)
    right_hw[:, CAMERA.width // 2 - 4 :] = 1.0
    maps = {
        str(number): depth_map(
            frame,
            depth_hw * np.float32(1.0 if number < 8 else 1.03),
            left_hw if number < 8 else right_hw,
        )
        for number in range(16)
    }
    assert depth_noise(list(maps), maps.__getitem__, 0.1) < 1e-4


def test_points_of_confident_pixels_lie_on_the_scene():
    frame = make_frames()[2]
    confidence_hw = np.ones((CAMERA.height, CAMERA.width), np.float32)
    confidence_hw[:, :48] = 0.1
    depth_hw = exact_depth(frame)
    depth_hw[:, 90] = np.nan
    one = depth_map(frame, depth_hw, confidence_hw)
    points = world_points(one, 0.15, 3)
    assert len(points) == 24 * 15
    assert distance_to_scene(points).max() < 1e-5
    kept_hw = confident_depth(one, 0.15) > 0
    assert kept_hw.sum() == CAMERA.height * 47
