import cv2
import numpy as np
import pytest

from stages.frames.choosing.appearance import Look, is_dark, mark_blurred, measure_sharpness
from tests.media import make_texture

TEXTURE = cv2.cvtColor(make_texture(240, 320), cv2.COLOR_RGB2GRAY)


def test_sharpness_falls_with_blur_and_little_with_contrast_or_noise():
    blurred = [cv2.GaussianBlur(TEXTURE, (0, 0), sigma) for sigma in (1.0, 2.0, 4.0)]
    sharpness = [measure_sharpness(image) for image in (TEXTURE, *blurred)]
    assert sharpness == sorted(sharpness, reverse=True)
    assert sharpness[-1] < 0.6 * sharpness[0]
    faint = (TEXTURE * 0.7 + 40).astype(np.uint8)
    assert measure_sharpness(faint) == pytest.approx(sharpness[0], rel=0.2)
    noise = np.random.default_rng(0).normal(0, 3, TEXTURE.shape)
    noisy = (blurred[-1] + noise).clip(0, 255).astype(np.uint8)
    assert measure_sharpness(noisy) < 0.5 * sharpness[0]


def test_blur_in_one_direction_counts():
    for size in ((9, 1), (1, 9)):
        assert measure_sharpness(cv2.blur(TEXTURE, size)) < 0.6 * measure_sharpness(TEXTURE)


def test_blurred_is_relative_to_the_neighbours():
    values = [1.0, 1.1, 0.9] * 5 + [0.3] + [1.0] * 10 + [0.3] * 30
    looks = [
        Look(i, str(i), float(i), np.zeros((1, 1), np.uint8), value)
        for i, value in enumerate(values)
    ]
    marked = [look.index for look in mark_blurred(looks, 0.65) if look.blur]
    assert marked == [15]


def test_dark():
    assert is_dark(np.full((20, 30), 8, np.uint8))
    night = np.full((20, 30), 8, np.uint8)
    night[:5, :5] = 200
    assert not is_dark(night)
