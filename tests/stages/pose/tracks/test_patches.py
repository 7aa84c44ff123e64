import numpy as np

from stages.pose.tracks.patch_alignment import normalized_patches, patch_offsets, sample_patches

RAMP = (np.arange(20)[:, None] * 10 + np.arange(30)[None]).astype(np.uint8)


def test_offsets_go_row_by_row_about_the_centre():
    offsets = patch_offsets(1)
    assert offsets.tolist() == [[x, y] for y in (-1, 0, 1) for x in (-1, 0, 1)]


def test_values_between_pixels_and_beyond_the_border():
    x, y = np.float32([[4.25, 29.0, 40.0]]), np.float32([[3.5, 19.0, 19.0]])
    np.testing.assert_allclose(sample_patches(RAMP, x, y), [[39.25, 219.0, 219.0]], atol=0.6)


def test_more_patches_than_opencv_takes_at_once():
    x, y = np.full((70_000, 1), 5, np.float32), np.full((70_000, 1), 7, np.float32)
    assert (sample_patches(RAMP, x, y) == 75).all()


def test_normalized_patches_do_not_know_brightness_and_contrast():
    rng = np.random.default_rng(0)
    image = rng.integers(0, 100, (40, 40)).astype(np.uint8)
    xy = np.float32([[20, 20]])
    patch = normalized_patches(image, xy)
    brighter = normalized_patches(2 * image + 30, xy)
    np.testing.assert_allclose(patch @ brighter.T, [[1.0]], atol=1e-5)
    assert abs(patch.mean()) < 1e-6
    assert not normalized_patches(np.full_like(image, 9), xy).any()
