import cv2
import numpy as np
import pytest

from mvrecon.geometry.sampling import inside, rescale_pixels, sample_bilinear


@pytest.mark.parametrize("channels", [(), (2,)])
def test_a_linear_image_is_sampled_exactly(channels):
    y, x = np.mgrid[:20, :30].astype(np.float32)
    plane = 2.0 * x - 3.0 * y + 1.0
    image = np.stack([plane, -plane], axis=-1) if channels else plane
    xy = np.random.default_rng(0).uniform(0, [29, 19], (100, 2))
    expected = 2.0 * xy[:, 0] - 3.0 * xy[:, 1] + 1.0
    found = sample_bilinear(image, xy)
    assert found.shape == (100, *channels)
    np.testing.assert_allclose(found[..., 0] if channels else found, expected, atol=1e-4)


def test_outside_takes_the_border():
    image = np.arange(6, dtype=np.float32).reshape(2, 3)
    found = sample_bilinear(image, np.array([[-5.0, -5.0], [9.0, 9.0], [2.0, 0.0]]))
    np.testing.assert_allclose(found, [0.0, 5.0, 2.0])
    assert sample_bilinear(image, np.array([[np.nan, np.inf]]))[0] in image


def test_inside_ends_at_the_outer_pixel_centres():
    xy = np.array([[0.0, 0.0], [3.0, 2.0], [3.01, 0.0], [0.0, -0.01]])
    assert inside(xy, 4, 3).tolist() == [True, True, False, False]


def test_rescaling_agrees_with_the_resized_image():
    # The centre of mass of a blob moves as the pixels do.
    image = np.zeros((60, 80), np.float32)
    image[20:24, 40:44] = 1.0
    small = cv2.resize(image, (20, 15), interpolation=cv2.INTER_AREA)
    y, x = np.mgrid[:15, :20]
    found = np.array([(small * x).sum(), (small * y).sum()]) / small.sum()
    expected = rescale_pixels(np.array([[41.5, 21.5]]), np.array([0.25, 0.25]))[0]
    np.testing.assert_allclose(found, expected, atol=1e-6)
