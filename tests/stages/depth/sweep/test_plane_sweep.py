from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mvrecon.geometry.camera import Camera
from stages.depth.config import SweepOptions
from stages.depth.sweep.flow_prior import DepthPrior
from stages.depth.sweep.plane_sweep import sweep_depth
from stages.depth.views import pyramid_levels, sweep_camera
from tests.stages.depth.scenes import BEHIND, BLANK, CAMERA, FRONT, SLANTED, render, views_of

BOUNDS = (0.08, 0.6)


def relative_errors(planes, views) -> tuple[np.ndarray, np.ndarray]:
    swept = sweep_depth(views[0], views[1:], BOUNDS, None, SweepOptions())
    truth_hw = render(planes, CAMERA, np.eye(4))[1]
    return np.abs(1 / swept.inverse_depth_hw - truth_hw) / truth_hw, swept.confidence_hw


def test_a_slanted_plane_is_exact_and_without_staircase() -> None:
    error_hw, _ = relative_errors([SLANTED], views_of([SLANTED]))
    inner_hw = error_hw[8:-8, 8:-8]
    assert np.median(inner_hw) < 0.003
    assert np.percentile(inner_hw, 95) < 0.02


def test_a_box_stands_out_clean_from_what_is_behind() -> None:
    planes = [BEHIND, FRONT]
    error_hw, _ = relative_errors(planes, views_of(planes))
    assert np.median(error_hw) < 0.005
    assert np.mean(error_hw < 0.05) > 0.93


def test_exposure_may_differ_between_views() -> None:
    views = views_of([SLANTED])
    gains = (1.0, 0.7, 1.2, 0.8, 1.1)
    views = [
        replace(view, gray_hw=np.clip(gain * view.gray_hw + 5, 0, 255).astype(np.float32))
        for view, gain in zip(views, gains, strict=True)
    ]
    error_hw, _ = relative_errors([SLANTED], views)
    assert np.median(error_hw) < 0.005


def test_confidence_tells_good_pixels_from_bad_ones() -> None:
    planes = [BEHIND, BLANK]
    rng = np.random.default_rng(0)
    views = [
        replace(view, gray_hw=view.gray_hw + rng.normal(0, 2, view.gray_hw.shape).astype("f4"))
        for view in views_of(planes)
    ]
    error_hw, confidence_hw = relative_errors(planes, views)
    order = np.argsort(confidence_hw.ravel())
    errors = error_hw.ravel()[order]
    half = len(errors) // 2
    assert errors[:half].mean() > 2 * errors[half:].mean()
    blank_hw = np.abs(render(planes, CAMERA, np.eye(4))[1] - 3.0) < 0.01
    assert confidence_hw[blank_hw].mean() < 0.7 * confidence_hw[~blank_hw].mean()


def test_flow_decides_where_the_images_do_not() -> None:
    planes = [replace(SLANTED, contrast=0.0)]
    views = views_of(planes)
    camera = sweep_camera(CAMERA)
    truth_hw = (1 / render(planes, camera, np.eye(4))[1]).astype(np.float32)
    prior = DepthPrior(truth_hw, np.full_like(truth_hw, 0.002), np.ones_like(truth_hw))
    swept = sweep_depth(views[0], views[1:], BOUNDS, prior, SweepOptions())
    error_hw = np.abs(swept.inverse_depth_hw * render(planes, CAMERA, np.eye(4))[1] - 1)
    assert np.median(error_hw) < 0.02


def test_the_same_views_give_the_same_depth() -> None:
    views = views_of([SLANTED])
    first, second = (
        sweep_depth(views[0], views[1:], BOUNDS, None, SweepOptions(max_hypotheses=64))
        for _ in range(2)
    )
    np.testing.assert_array_equal(first.inverse_depth_hw, second.inverse_depth_hw)
    np.testing.assert_array_equal(first.confidence_hw, second.confidence_hw)


@pytest.mark.parametrize(("width", "levels"), [(160, 1), (640, 1), (1280, 2), (4096, 4)])
def test_the_sweep_does_not_grow_with_the_image(width: int, levels: int) -> None:
    camera = Camera(width, width * 3 // 4, width, width, width / 2, width * 3 / 8)
    assert pyramid_levels(camera) == levels
    assert sweep_camera(camera).width <= 480


def test_several_levels_end_at_the_full_resolution(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stages.depth.views.MAX_SWEEP_SIZE_PX", 50)
    assert pyramid_levels(CAMERA) == 2
    error_hw, _ = relative_errors([SLANTED], views_of([SLANTED]))
    assert error_hw.shape == (CAMERA.height, CAMERA.width)
    assert np.median(error_hw[8:-8, 8:-8]) < 0.005
