import cv2
import numpy as np
import pytest

from stages.frames.choosing.motion import MotionSince
from tests.media import make_texture, pan

DIAGONAL_PX = 200.0


def grey(images):
    return [cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in images]


def with_noise(image, sigma, seed):
    noisy = image + np.random.default_rng(seed).normal(0, sigma, image.shape)
    return noisy.clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize("shift_px", [0.5, 3.0, 25.0])
def test_parallax_is_the_shift_over_the_diagonal(shift_px):
    first, second = grey(pan([0.0, shift_px]))
    motion = MotionSince(first).measure(second)
    assert not motion.lost
    assert motion.parallax == pytest.approx(shift_px / DIAGONAL_PX, abs=0.1 / DIAGONAL_PX)


def test_moving_forward_counts_what_moves_fast_at_the_border():
    first = grey([make_texture(120, 160)])[0]
    zoom = cv2.getRotationMatrix2D((79.5, 59.5), 0, 1.15)
    second = cv2.warpAffine(first, zoom, (160, 120), borderMode=cv2.BORDER_REFLECT)
    x, y = np.meshgrid(np.arange(160) - 79.5, np.arange(120) - 59.5)
    median_px = 0.15 * np.median(np.hypot(x, y))
    motion = MotionSince(first).measure(second)
    assert not motion.lost
    assert motion.parallax * DIAGONAL_PX < 1.2 * median_px
    # Most of the picture stands still, and a tenth rushes past.
    rushing = first.copy()
    rushing[:, 115:] = np.roll(first, 12, axis=1)[:, 115:]
    motion = MotionSince(first).measure(rushing)
    assert motion.parallax * DIAGONAL_PX == pytest.approx(0.45 * 12, abs=1.0)


def test_follows_a_pan_to_a_large_shift():
    first, *rest = grey(pan(range(0, 81, 10)))
    since = MotionSince(first)
    motions = [since.measure(image) for image in rest]
    assert motions[-1].parallax == pytest.approx(80 / DIAGONAL_PX, abs=0.01)
    assert motions[-1].overlap < 0.7 < motions[0].overlap


def test_another_view_is_lost():
    first = grey([make_texture(120, 160, seed=1)])[0]
    second = grey([make_texture(120, 160, seed=2)])[0]
    assert MotionSince(first).measure(second).lost


@pytest.mark.parametrize("content", ["texture", "wall"])
def test_noise_alone_is_no_motion(content):
    image = grey([make_texture(120, 160)])[0] if content == "texture" else np.full((120, 160), 90)
    since = MotionSince(with_noise(image, 3.0, seed=0))
    for seed in range(1, 4):
        motion = since.measure(with_noise(image, 3.0, seed))
        assert not motion.lost
        assert motion.parallax < 0.3 / DIAGONAL_PX


@pytest.mark.parametrize("gain", [0.5, 1.6])
def test_brightness_is_no_motion_and_hides_none(gain):
    first, second = grey(pan([0.0, 6.0]))
    exposed = (0.6 * gain * second + 5).clip(0, 255).astype(np.uint8)
    motion = MotionSince((0.6 * first).astype(np.uint8)).measure(exposed)
    assert motion.parallax * DIAGONAL_PX == pytest.approx(6.0, abs=0.1)
    assert motion.overlap > 0.85


def test_little_contrast_shows_its_motion_and_is_told():
    first, second = (
        with_noise(30 + 0.04 * image, 0.5, i) for i, image in enumerate(grey(pan([0.0, 6.0])))
    )
    since = MotionSince(first)
    motion = since.measure(second)
    assert since.is_faint
    assert motion.parallax * DIAGONAL_PX == pytest.approx(6.0, abs=0.5)
    assert not motion.lost
    assert not MotionSince(grey([make_texture(120, 160)])[0]).is_faint


def test_another_size_is_lost_not_an_error():
    first, second = grey(pan([0, 1]))
    assert MotionSince(first).measure(second[:, :100]).lost
