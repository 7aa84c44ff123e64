import base64

import numpy as np
import pytest

from mvrecon.formats.images import decode_rgb
from mvrecon.report.pictures import (
    NO_DEPTH_RGB,
    confidence_rgb,
    data_uri,
    depth_limits,
    depth_rgb,
    read_rgb,
    spread,
)


def test_a_picture_is_shrunk_to_its_longer_side_and_never_enlarged():
    image = np.full((40, 80, 3), [200, 30, 60], np.uint8)

    def shown(side_px):
        return decode_rgb(base64.b64decode(data_uri(image, side_px).partition("base64,")[2]))

    assert shown(20).shape == (10, 20, 3)
    assert shown(500).shape == image.shape
    assert np.abs(shown(500).astype(int) - image).max() < 8


def test_near_is_red_far_is_blue_and_nothing_is_grey():
    near, far, nothing = depth_rgb(np.float32([[1.0, 4.0, 0.0]]), (1.0, 4.0))[0].astype(int)
    assert near[0] > near[2]
    assert far[2] > far[0]
    assert tuple(nothing) == NO_DEPTH_RGB


def test_the_scale_of_depth_leaves_out_outliers_and_what_is_not_there():
    depth = np.full((10, 10), 3.0, np.float32)
    depth[0, 0], depth[0, 1], depth[5] = 0.01, 900.0, 0.0
    near, far = depth_limits(depth)
    assert near == pytest.approx(3.0, abs=0.01)
    assert far == pytest.approx(3.0, abs=0.02)
    assert depth_limits(np.zeros((2, 2), np.float32)) == (1.0, 2.0)


def test_confidence_beyond_its_range_is_shown_as_its_end():
    low, lower, high, higher = confidence_rgb(np.float32([[0, -3, 1, 7]]))[0]
    assert np.array_equal(low, lower)
    assert np.array_equal(high, higher)
    assert high.sum() > low.sum()


def test_a_picture_that_cannot_be_read_is_left_out(tmp_path):
    (tmp_path / "torn.jpg").write_bytes(b"\xff\xd8\xff")
    assert read_rgb(tmp_path / "torn.jpg") is None
    assert read_rgb(tmp_path / "none.jpg") is None
    assert read_rgb(None) is None


def test_indices_are_spread_over_all_with_both_ends():
    assert spread(5, 9) == [0, 1, 2, 3, 4]
    assert spread(101, 3) == [0, 50, 100]
    assert spread(0, 3) == []
