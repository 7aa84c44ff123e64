from __future__ import annotations

import numpy as np

from mvrecon.geometry.camera import Camera
from mvrecon.geometry.raycasting import TriangleScene, pixel_rays
from mvrecon.geometry.rigid_flow import rigid_flow

SIZE = (64, 96)
CAMERA = Camera(96, 64, 80.0, 80.0, 47.5, 31.5)


def squares(*sizes_and_depths: tuple[float, float]) -> TriangleScene:
    """Squares before the camera, each of a half side and a depth."""
    corners, faces = [], []
    for half, depth in sizes_and_depths:
        first = len(corners)
        corners += [(x, y, depth) for x, y in ((-half, -half), (half, -half), (half, half))]
        corners.append((-half, half, depth))
        faces += [(first, first + 1, first + 2), (first, first + 2, first + 3)]
    return TriangleScene(np.array(corners), np.array(faces))


def flow_and_visibility(triangles: TriangleScene) -> tuple[np.ndarray, np.ndarray]:
    """From one camera to the same half a unit to the right."""
    second_44 = np.eye(4)
    second_44[0, 3] = 0.5
    hits = triangles.cast(*pixel_rays(CAMERA, np.eye(4)))
    depth_hw = np.where(hits.met_n, hits.distance_n, 0).reshape(SIZE)
    flow = rigid_flow(depth_hw, (CAMERA, np.eye(4)), (CAMERA, second_44))
    return flow.flow_hw2, flow.inside_hw & ~flow.hidden_hw(triangles, second_44)


def test_a_camera_that_moves_sideways_shifts_a_wall_by_its_disparity():
    flow_hw2, visible_hw = flow_and_visibility(squares((9.0, 4.0)))
    np.testing.assert_allclose(flow_hw2[..., 0], -80.0 * 0.5 / 4.0, atol=1e-4)
    np.testing.assert_allclose(flow_hw2[..., 1], 0.0, atol=1e-4)
    columns = np.broadcast_to(np.arange(96), SIZE)
    np.testing.assert_array_equal(visible_hw, columns >= 10)


def test_what_a_nearer_thing_comes_to_cover_is_not_visible():
    # Seen from the first pose the small square covers columns 37.5…57.5; in the second it has
    # moved by -20 px, and the wall behind it by -10 px.
    scene = squares((9.0, 4.0), (0.25, 2.0))
    flow_hw2, visible_hw = flow_and_visibility(scene)
    row = flow_hw2[32, :, 0]
    np.testing.assert_allclose(row[40:55], -20.0, atol=1e-4)
    np.testing.assert_allclose(row[60:], -10.0, atol=1e-4)
    # The wall's columns 27.5…37.5 lie behind the square's new place, 17.5…37.5.
    assert not visible_hw[32, 28:38].any()
    assert visible_hw[32, 10:27].all()
    assert visible_hw[32, 38:].all()


def test_what_has_no_depth_has_no_target():
    flow_hw2, visible_hw = flow_and_visibility(squares((0.25, 2.0)))
    assert not visible_hw[0, 20]
    np.testing.assert_array_equal(flow_hw2[0, 20], 0.0)
