import numpy as np

from mvrecon.formats.mesh import Mesh, PointCloud
from mvrecon.geometry.camera import Camera
from mvrecon.render import MeshRenderer, look_at

CAMERA = Camera(40, 30, 50.0, 50.0, 19.5, 14.5)


def square(z=2.0, half=0.25):
    """A square across the optical axis, red on the left and blue on the right."""
    xyz = np.array([[-half, -half, z], [half, -half, z], [half, half, z], [-half, half, z]])
    red, blue = [255, 0, 0], [0, 0, 255]
    points = PointCloud(
        xyz.astype(np.float32),
        np.tile(np.float32([0, 0, -1]), (4, 1)),
        np.array([red, blue, blue, red], np.uint8),
        np.ones(4, np.float32),
    )
    return Mesh(points, np.array([[0, 2, 1], [0, 3, 2]], np.int32))


def test_depth_is_along_the_axis_and_the_outline_is_where_projection_puts_it():
    rgb, depth = MeshRenderer(square()).render(CAMERA, np.eye(4))
    v, u = np.nonzero(depth)
    assert np.allclose(depth[depth > 0], 2.0, atol=1e-5)
    # ±0.25 at depth 2 is ±6.25 px about the principal point.
    assert (u.min(), u.max(), v.min(), v.max()) == (14, 25, 9, 20)
    assert np.all(rgb[depth == 0] == 0)


def test_vertex_colors_are_interpolated():
    rgb, _ = MeshRenderer(square()).render(CAMERA, np.eye(4))
    row = rgb[15, 14:26].astype(float)
    expected_blue = 255 * ((np.arange(14, 26) - 19.5) / 12.5 + 0.5)
    assert np.allclose(row[:, 2], expected_blue, atol=1.0)
    assert np.allclose(row[:, 0], 255 - expected_blue, atol=1.0)


def test_pose_moves_the_camera():
    pose = np.eye(4)
    pose[:3, 3] = [0.0, 0.0, -1.0]
    depth = MeshRenderer(square()).depth(CAMERA, pose)
    assert np.allclose(depth[depth > 0], 3.0, atol=1e-5)


def test_shading_and_background():
    rgb, depth = MeshRenderer(square()).render(CAMERA, np.eye(4), shaded=True, background=(1, 2, 3))
    assert np.all(rgb[depth == 0] == [1, 2, 3])
    clay = rgb[depth > 0]
    assert np.all(clay == clay[0, 0])
    assert clay[0, 0] > 200


def test_look_at_puts_the_target_on_the_axis_and_up_upwards():
    eye, target = np.array([1.0, 2.0, 3.0]), np.array([-1.0, 0.5, 0.0])
    up = np.array([0.0, 0.0, 1.0])
    pose = look_at(eye, target, up)
    in_cam = np.linalg.inv(pose) @ np.append(target, 1.0)
    assert np.allclose(in_cam[:2], 0.0, atol=1e-12)
    assert in_cam[2] > 0
    assert np.isclose(np.linalg.det(pose[:3, :3]), 1.0)
    assert pose[:3, 1] @ up < 0
