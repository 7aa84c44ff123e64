import numpy as np
import pytest

from mvrecon.geometry.resize import fit_size, resize_by_area


@pytest.mark.parametrize(
    ("size", "longest_px", "wanted"),
    [((640, 480), 320, (320, 240)), ((480, 640), 320, (240, 320)), ((9, 1), 3, (3, 1))],
)
def test_fit_size_keeps_the_shape(size, longest_px, wanted):
    assert fit_size(size, longest_px) == wanted


@pytest.mark.parametrize("longest_px", [None, 640, 1000])
def test_fit_size_never_enlarges(longest_px):
    assert fit_size((640, 480), longest_px) == (640, 480)


def test_each_pixel_is_the_mean_of_those_it_covers():
    rng = np.random.default_rng(0)
    pixels_hw3 = rng.integers(0, 256, (12, 20, 3)).astype(np.float32)
    resized_hw3 = resize_by_area(pixels_hw3, (5, 3))
    blocks = pixels_hw3.reshape(3, 4, 5, 4, 3).mean((1, 3))
    np.testing.assert_allclose(resized_hw3, blocks, rtol=1e-5)
    rounded_hw3 = resize_by_area(pixels_hw3.astype(np.uint8), (5, 3))
    assert rounded_hw3.dtype == np.uint8
    assert np.abs(rounded_hw3 - blocks).max() <= 0.5


def test_an_image_of_the_size_wanted_stays_the_same():
    pixels_hw = np.zeros((4, 6), np.uint8)
    assert resize_by_area(pixels_hw, (6, 4)) is pixels_hw
