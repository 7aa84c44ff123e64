import math

import numpy as np
import pytest

from mvrecon.evaluation.metrics.flow import (
    end_point_error,
    epe_mean_over_images_px,
    epe_mean_over_pixels_px,
    flow_errors,
    regional_errors,
    share_over_pixels,
    sparsification_epe_px,
)


def image(errors_px: list[float], truth_px: float = 10.0):
    """One row whose flow errs by the given amounts along x."""
    truth = np.zeros((1, len(errors_px), 2))
    truth[..., 0] = truth_px
    flow = truth.copy()
    flow[0, :, 0] += errors_px
    return flow, truth


def errors_of(errors_px: list[float], truth_px: float = 10.0):
    flow, truth = image(errors_px, truth_px)
    return flow_errors(flow, truth, np.ones(flow.shape[:2], bool))


def test_end_point_error_is_the_distance():
    assert end_point_error(np.array([[[3.0, 4.0]]]), np.zeros((1, 1, 2)))[0, 0] == 5


def test_aggregation_over_pixels_and_over_images():
    images = [errors_of([0, 0, 0, 4]), errors_of([2])]
    assert epe_mean_over_pixels_px(images) == pytest.approx(6 / 5)
    assert epe_mean_over_images_px(images) == pytest.approx((1 + 2) / 2)
    assert share_over_pixels(images, "over_1px") == pytest.approx(2 / 5)


def test_kitti_outliers_need_three_pixels_and_five_per_cent():
    assert share_over_pixels([errors_of([3.0, 3.1, 2.9, 9])], "outliers") == pytest.approx(2 / 4)
    assert share_over_pixels(
        [errors_of([4, 4.9, 5.1, 9], truth_px=100)], "outliers"
    ) == pytest.approx(2 / 4)


def test_exactly_one_pixel_is_not_over_one():
    assert share_over_pixels([errors_of([1.0, 1.5])], "over_1px") == 0.5


def test_invalid_pixels_do_not_count():
    flow, truth = image([50, 1])
    errors = flow_errors(flow, truth, np.array([[False, True]]))
    assert (errors.pixels, errors.epe_sum_px) == (1, 1)


def test_what_cannot_be_measured_is_refused():
    flow, truth = image([1, 2])
    with pytest.raises(ValueError, match="no valid pixel"):
        flow_errors(flow, truth, np.zeros((1, 2), bool))
    with pytest.raises(ValueError, match="ground truth"):
        flow_errors(flow[:, :1], truth, np.ones((1, 2), bool))


def test_sparsification_drops_the_least_confident():
    error = np.array([8.0, 1, 2, 1])
    assert sparsification_epe_px(error, np.array([0.1, 0.9, 0.5, 0.8]), (0, 0.25, 0.5)) == (
        pytest.approx([3, 4 / 3, 1])
    )
    assert sparsification_epe_px(error, np.array([0.9, 0.1, 0.2, 0.3]), (0.5,)) == [4.5]


def test_regions_and_speeds():
    truth = np.zeros((1, 6, 2))
    truth[0, :, 1] = [0, 9.9, 10, 40, 40.1, 100]
    flow = truth + np.array([3.0, 4.0])
    valid = np.array([[True, True, True, True, True, False]])
    left = np.array([[True, False, False, False, False, True]])
    errors = regional_errors(
        flow, truth, valid, {"visible": left, "occluded": ~left, "with_invalid": valid | True}
    )
    pixels = {name: region.pixels for name, region in errors.items()}
    assert pixels == {
        "all": 5, "s0-10": 2, "s10-40": 2, "s40+": 1, "visible": 1, "occluded": 4, "with_invalid": 6
    }  # fmt: skip
    assert all(region.epe_sum_px == 5 * region.pixels for region in errors.values())
    assert "foreground" not in regional_errors(flow, truth, valid, {"foreground": ~valid})


def test_figures_equal_an_independent_formula():
    """Pixel by pixel in plain Python, from the definitions in KITTI's and Sintel's papers."""
    rng = np.random.default_rng(1)
    images, sums = [], {"n": 0, "epe": 0.0, "fl": 0, 1: 0, 3: 0, 5: 0}
    slow, means = [0, 0.0], []
    for height, width in ((7, 9), (5, 4), (11, 3)):
        truth = rng.normal(0, 30, (height, width, 2)).astype(np.float32)
        flow = truth + rng.normal(0, 4, truth.shape).astype(np.float32)
        valid = rng.random((height, width)) < 0.7
        images.append(regional_errors(flow, truth, valid, {}))
        epes = []
        for y in range(height):
            for x in range(width):
                if not valid[y, x]:
                    continue
                u, v = (float(flow[y, x, i]) - float(truth[y, x, i]) for i in (0, 1))
                speed = math.sqrt(float(truth[y, x, 0]) ** 2 + float(truth[y, x, 1]) ** 2)
                epe = math.sqrt(u * u + v * v)
                epes.append(epe)
                sums["n"] += 1
                sums["epe"] += epe
                sums["fl"] += epe > 3 and (speed == 0 or epe / speed > 0.05)
                for limit in (1, 3, 5):
                    sums[limit] += epe > limit
                if speed < 10:
                    slow = [slow[0] + 1, slow[1] + epe]
        means.append(sum(epes) / len(epes))
    whole = [image["all"] for image in images]
    close = {"abs": 1e-6}
    assert epe_mean_over_pixels_px(whole) == pytest.approx(sums["epe"] / sums["n"], **close)
    assert epe_mean_over_images_px(whole) == pytest.approx(sum(means) / len(means), **close)
    assert share_over_pixels(whole, "outliers") == pytest.approx(sums["fl"] / sums["n"], **close)
    assert share_over_pixels(whole, "over_1px") == pytest.approx(sums[1] / sums["n"], **close)
    assert share_over_pixels(whole, "over_3px") == pytest.approx(sums[3] / sums["n"], **close)
    assert share_over_pixels(whole, "over_5px") == pytest.approx(sums[5] / sums["n"], **close)
    slow_images = [image["s0-10"] for image in images if "s0-10" in image]
    assert epe_mean_over_pixels_px(slow_images) == pytest.approx(slow[1] / slow[0], **close)
