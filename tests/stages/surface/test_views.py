import numpy as np

from stages.surface.views import make_view, without_rims
from tests.stages.surface.scenes import CAMERA, depth_map, make_frames


def square_before_a_wall():
    depth_hw = np.full((CAMERA.height, CAMERA.width), 4.0, np.float32)
    depth_hw[20:50, 30:60] = 2.0
    return depth_hw


def test_only_the_rim_of_what_is_in_front_is_ignored():
    depth_hw = square_before_a_wall()
    trimmed_hw = without_rims(depth_hw, 3 / np.hypot(*depth_hw.shape))
    expected_hw = depth_hw.copy()
    expected_hw[20:50, 30:60] = 0
    expected_hw[23:47, 33:57] = 2.0
    np.testing.assert_array_equal(trimmed_hw, expected_hw)


def test_slanted_surfaces_and_gaps_have_no_rim():
    slanted_hw = np.tile(np.linspace(2, 4, CAMERA.width, dtype=np.float32), (CAMERA.height, 1))
    slanted_hw[10:20, 10:20] = 0
    np.testing.assert_array_equal(without_rims(slanted_hw, 0.01), slanted_hw)


def test_a_view_is_trimmed_only_if_asked_to():
    one = depth_map(make_frames()[0], square_before_a_wall())
    kept, trimmed = (make_view(one, 0.15, 3.0, trim).weight_hw > 0 for trim in (0.0, 0.025))
    assert kept[21, 31]
    assert not trimmed[21, 31]
    assert trimmed[35, 45]
    assert trimmed[5, 5]
