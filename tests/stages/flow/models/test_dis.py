import numpy as np
import pytest

from stages.flow.models.dis import DisFlow
from tests.stages.flow.scenes import shifted_pair, texture


def inner(flow_hw2: np.ndarray) -> np.ndarray:
    return flow_hw2[16:-16, 16:-16]


def test_equal_images_do_not_move():
    image = texture(96, 128, seed=3)
    estimate = DisFlow("medium").estimate(image, image)
    assert np.abs(estimate.forward_hw2).max() < 0.05
    assert np.abs(estimate.backward_hw2).max() < 0.05


@pytest.mark.parametrize("model", [DisFlow("fast"), DisFlow("medium"), DisFlow("medium", 2)])
def test_a_shift_is_found_both_ways(model: DisFlow):
    estimate = model.estimate(*shifted_pair(dx=5, dy=-3))
    np.testing.assert_allclose(
        np.median(inner(estimate.forward_hw2), axis=(0, 1)), [5, -3], atol=0.25
    )
    np.testing.assert_allclose(
        np.median(inner(estimate.backward_hw2), axis=(0, 1)), [-5, 3], atol=0.25
    )
    wrong = np.linalg.norm(inner(estimate.forward_hw2) - (5, -3), axis=-1) > 0.5
    assert wrong.mean() < 0.02


def test_tiny_images_keep_their_size():
    image = texture(7, 30, seed=4)
    assert DisFlow("medium").estimate(image, image).forward_hw2.shape == (7, 30, 2)
