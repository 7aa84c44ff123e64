import numpy as np
import pytest

from mvrecon.metrics.flow import (
    end_point_error,
    epe_mean_over_images_px,
    epe_mean_over_pixels_px,
    fl_all_over_pixels,
    flow_errors,
    over_1px_over_pixels,
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
    assert over_1px_over_pixels(images) == pytest.approx(2 / 5)


def test_kitti_outliers_need_three_pixels_and_five_per_cent():
    assert fl_all_over_pixels([errors_of([3.0, 3.1, 2.9, 9])]) == pytest.approx(2 / 4)
    assert fl_all_over_pixels([errors_of([4, 4.9, 5.1, 9], truth_px=100)]) == pytest.approx(2 / 4)


def test_exactly_one_pixel_is_not_over_one():
    assert over_1px_over_pixels([errors_of([1.0, 1.5])]) == 0.5


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
