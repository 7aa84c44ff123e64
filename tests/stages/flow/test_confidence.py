import numpy as np

from stages.flow.confidence import (
    flow_confidence,
    forward_backward_residual,
    stays_inside,
    warp_by_flow,
)
from stages.flow.models.dis import DisFlow
from tests.stages.flow.scenes import occluding_pair, shifted_pair


def constant_flow(x: float, y: float, size: tuple[int, int] = (20, 30)) -> np.ndarray:
    return np.broadcast_to(np.float32([x, y]), (*size, 2)).copy()


def test_residual_is_the_distance_missed():
    residual = forward_backward_residual(constant_flow(2, 1), constant_flow(-2, 3))
    np.testing.assert_allclose(residual, 4, atol=1e-6)


def test_warp_looks_where_the_flow_points():
    ramp = np.tile(np.arange(30, dtype=np.float32), (20, 1))
    warped = warp_by_flow(ramp, constant_flow(2.5, 0))
    np.testing.assert_allclose(warped[:, :27], ramp[:, :27] + 2.5, atol=0.05)


def test_inside_ends_at_the_last_pixel():
    inside = stays_inside(constant_flow(3, 0))
    assert inside[:, :27].all()
    assert not inside[:, 27:].any()


def test_confidence_falls_where_the_first_image_is_hidden():
    first, second, truth, hidden = occluding_pair()
    estimate = DisFlow("medium").estimate(first, second)
    confidence = flow_confidence(first, second, *estimate[:2])
    still = np.zeros_like(hidden)
    still[8:32, 8:-8] = True
    assert confidence[still].mean() > 0.8
    assert confidence[hidden].mean() < 0.4
    right = np.linalg.norm(estimate.forward_hw2 - truth, axis=-1) <= 1
    assert confidence[right].mean() > 2 * confidence[~right].mean()


def test_confidence_is_zero_where_the_flow_leaves_the_image():
    first, second = shifted_pair(dx=8, dy=0)
    size = first.shape[:2]
    confidence = flow_confidence(
        first, second, constant_flow(8, 0, size), constant_flow(-8, 0, size)
    )
    assert (confidence[:, -8:] == 0).all()
    assert confidence[:, 8:-24].min() > 0.5


def test_blank_images_are_not_trusted():
    blank = np.full((60, 80, 3), 128, np.uint8)
    still = constant_flow(0, 0, (60, 80))
    assert flow_confidence(blank, blank, still, still).max() < 0.05


def test_images_of_different_things_are_not_trusted():
    first, _ = shifted_pair(dx=0, dy=0)
    black = np.zeros_like(first)
    still = constant_flow(0, 0, first.shape[:2])
    assert flow_confidence(first, black, still, still).mean() < 0.5
    assert flow_confidence(first, first, still, still).mean() > 0.9
