import numpy as np

from mvrecon.artifacts.depth import DepthMap, inverted
from mvrecon.multiview.reprojection import own_depth, see_from, transfer_between

K_33 = np.array([[50.0, 0, 19.5], [0, 50.0, 14.5], [0, 0, 1]])


def flat_map(depth: float, x: float = 0.0) -> DepthMap:
    """A wall across the view of a camera that is moved sideways."""
    pose_44 = np.eye(4)
    pose_44[0, 3] = x
    depth_hw = np.full((30, 40), depth, np.float32)
    return DepthMap(depth_hw, np.full_like(depth_hw, 0.5), K_33, pose_44)


def test_a_wall_is_seen_from_beside_where_it_is_in_view():
    view, other = flat_map(2.0), flat_map(2.0, x=0.4)
    seen = see_from(view, other)
    assert not seen.inverse_depth_hw[:, :10].any()  # 0.4 · 50 / 2 = 10 px are out of its view
    np.testing.assert_allclose(seen.inverse_depth_hw[:, 10:], 0.5, rtol=1e-6)
    np.testing.assert_allclose(seen.confidence_hw[:, 10:], 0.5)
    assert not seen.confidence_hw[:, :10].any()


def test_the_transfer_goes_from_the_first_to_the_second():
    u, v, z = transfer_between(flat_map(2.0), flat_map(2.0, x=0.4)).project_pixels(20.0, 10.0, 2.0)
    np.testing.assert_allclose([u / z, v / z, z], [10.0, 10.0, 2.0])


def test_nothing_stays_nothing():
    view = flat_map(4.0)
    view.depth_hw[3, 5] = 0
    own = own_depth(view)
    assert own.inverse_depth_hw[3, 5] == 0 and own.confidence_hw[3, 5] == 0
    assert own.inverse_depth_hw[3, 6] == np.float32(0.25)
    np.testing.assert_array_equal(inverted(inverted(view.depth_hw)), view.depth_hw)
