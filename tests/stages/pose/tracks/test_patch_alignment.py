"""Sub-pixel alignment of patches that the view stretches and turns."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from stages.pose.options import TrackOptions
from stages.pose.tracks.patch_alignment import align_templates, cut_templates, local_warps

SIZE = 200
MIN_CORRELATION = TrackOptions().min_correlation
# From the first image to the second: turned, stretched, moved.
WARP_22 = np.array([[1.2, -0.15], [0.1, 0.85]], np.float32)
SHIFT_2 = np.array([-11.3, 13.7], np.float32)
XY_N2 = np.array([[60, 60], [130, 70], [95, 120], [70, 140]], np.float32)


@pytest.fixture(scope="module")
def images():
    noise_hw = np.random.default_rng(3).normal(size=(SIZE, SIZE)).astype(np.float32)
    smooth_hw = cv2.GaussianBlur(noise_hw, (0, 0), 3.0)
    first_hw = np.clip(128 + 60 * smooth_hw / smooth_hw.std(), 0, 255).astype(np.uint8)
    matrix_23 = np.column_stack([WARP_22, SHIFT_2])
    return first_hw, cv2.warpAffine(first_hw, matrix_23, (SIZE, SIZE), flags=cv2.INTER_CUBIC)


def true_place(xy_n2):
    return xy_n2 @ WARP_22.T + SHIFT_2


def aligned(first_hw, second_hw, warp_22, guess_n2):
    warps_n22 = np.tile(warp_22, (len(XY_N2), 1, 1))
    templates_nss = cut_templates(first_hw, XY_N2, warps_n22)
    return align_templates(templates_nss, second_hw, guess_n2, 3.0, MIN_CORRELATION)


def test_a_warped_patch_is_found_to_a_fraction_of_a_pixel(images):
    true_n2 = true_place(XY_N2)
    found_n2, good_n = aligned(*images, WARP_22, true_n2 + np.float32([0.9, -0.7]))
    assert good_n.all()
    assert np.linalg.norm(found_n2 - true_n2, axis=1).max() < 0.05
    unwarped_n2, _ = aligned(*images, np.eye(2, dtype=np.float32), true_n2)
    assert np.linalg.norm(unwarped_n2 - true_n2, axis=1).min() > 0.1


def test_brightness_and_contrast_do_not_matter(images):
    first_hw, second_hw = images
    darker_hw = (30 + 0.4 * second_hw).astype(np.uint8)
    found_n2, good_n = aligned(first_hw, darker_hw, WARP_22, true_place(XY_N2) + 0.6)
    assert good_n.all()
    assert np.linalg.norm(found_n2 - true_place(XY_N2), axis=1).max() < 0.08


def test_what_is_hidden_or_too_far_or_blank_is_not_trusted(images):
    first_hw, second_hw = images
    hidden_hw = cv2.GaussianBlur(second_hw[::-1, ::-1], (0, 0), 1.0)
    assert not aligned(first_hw, hidden_hw, WARP_22, true_place(XY_N2))[1].any()
    assert not aligned(first_hw, second_hw, WARP_22, true_place(XY_N2) + 3.5)[1].any()
    blank_hw = np.full_like(first_hw, 90)
    assert not aligned(first_hw, blank_hw, WARP_22, true_place(XY_N2))[1].any()


def test_nothing_to_align():
    nothing_n2 = np.zeros((0, 2), np.float32)
    image_hw = np.zeros((50, 50), np.uint8)
    templates = cut_templates(image_hw, nothing_n2, np.zeros((0, 2, 2), np.float32))
    found_n2, good_n = align_templates(templates, image_hw, nothing_n2, 2.0, MIN_CORRELATION)
    assert found_n2.shape == (0, 2)
    assert good_n.shape == (0,)


def test_the_warp_is_that_of_the_flow_but_none_across_an_edge():
    y_hw, x_hw = np.mgrid[:SIZE, :SIZE].astype(np.float32)
    xy_hw2 = np.stack([x_hw, y_hw], axis=-1)
    flow_hw2 = xy_hw2 @ (WARP_22 - np.eye(2, dtype=np.float32)).T + SHIFT_2
    flow_hw2[:, 150:] += 40.0
    at_n2 = np.array([[60.3, 80.8], [150.0, 90.0]])
    warps_n22 = local_warps(flow_hw2.astype(np.float32), at_n2)
    np.testing.assert_allclose(warps_n22[0], WARP_22, atol=1e-4)
    np.testing.assert_array_equal(warps_n22[1], np.eye(2))
