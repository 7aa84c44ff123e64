import base64

import numpy as np
import pytest

from mvrecon.artifacts.poses import PosedFrame, SparsePoints
from mvrecon.formats.mesh import Mesh, PointCloud
from mvrecon.report import scene
from mvrecon.report.scene import cameras_layer, mesh_layer, points_layer, viewpoint
from tests.report.runs import CAMERA


def frame_at(x, name="000000"):
    pose = np.eye(4)
    pose[0, 3] = x
    return PosedFrame(name, 0.0, CAMERA, CAMERA, pose)


def positions(layer):
    words = np.frombuffer(base64.b64decode(layer["positions"]), "<u2").reshape(-1, 3)
    return np.array(layer["low"]) + words / 65535 * np.array(layer["size"])


def colors(layer):
    return np.frombuffer(base64.b64decode(layer["colors"]), np.uint8).reshape(-1, 3)


def points_with(error_px_n):
    count = len(error_px_n)
    return SparsePoints(
        xyz_n3=np.arange(3.0 * count).reshape(count, 3),
        rgb_n3=np.arange(3 * count).reshape(count, 3).astype(np.uint8),
        error_px_n=np.asarray(error_px_n, np.float32),
        observation_point_m=np.zeros(1, np.int32),
        observation_frame_m=np.zeros(1, np.int32),
        observation_xy_m2=np.zeros((1, 2), np.float32),
    )


def test_the_viewer_starts_behind_the_camera_that_sees_most_and_looks_at_the_scene():
    frames = [frame_at(x) for x in (-9.0, 0.5, 9.0)]
    view = viewpoint(frames, np.array([[0, 0, 2.0], [0, 0, 4], [0, 0, 6], [0, 0, -8]]), 0.5, 0.25)
    assert np.allclose(view.target_3, [0.5, 0, 4])
    # Up is −y of the cameras.
    assert np.allclose(view.eye_3, [0.5, -1, -2])
    assert np.allclose(view.up_3, [0, -1, 0])


def test_the_first_view_shows_what_that_camera_saw():
    frames = [frame_at(x) for x in (9.0, 0.5, -9.0)]
    seen = [[0.5 + x, y, z] for x in (-0.4, 0, 0.4) for y in (-0.3, 0.3) for z in (4.0, 5.0)]
    beside, behind, crumb = [9.0, 0, 4], [0.5, 0, -4], [0.5, 0, 0.01]
    many = np.array([*seen * 20, beside, behind, crumb])
    view = viewpoint(frames, many, 0.5, 0.25)
    assert len(view.seen_n3) == len(seen) * 20
    assert np.array_equal(np.unique(view.seen_n3, axis=0), np.unique(seen, axis=0))
    assert len(viewpoint(frames, np.array([behind]), 0.5, 0.25).seen_n3) == 0


def test_positions_are_packed_to_a_65535th_of_their_range():
    xyz = np.random.default_rng(0).normal(size=(200, 3)) * [1, 100, 1e-3]
    points = points_with(np.zeros(200))
    layer = points_layer("p", SparsePoints(**{**vars(points), "xyz_n3": xyz}))
    assert np.all(np.abs(positions(layer) - xyz) <= np.ptp(xyz, axis=0) / 65535)
    assert np.array_equal(colors(layer), points.rgb_n3)


def test_points_of_large_error_are_left_out():
    layer = points_layer("p", points_with([0.5, scene.MAX_ERROR_PX + 1, 1.0]))
    assert np.allclose(positions(layer), [[0, 1, 2], [6, 7, 8]], atol=1e-3)


def test_a_camera_is_a_pyramid_through_the_corners_of_its_image():
    layer = cameras_layer("c", [frame_at(2.0)], size=0.5, shown=False)
    assert layer["shown"] is False
    lines = positions(layer).reshape(-1, 2, 3)
    assert len(lines) == 8
    assert np.allclose(lines[0, 0], [2, 0, 0], atol=1e-4)
    corner = np.array([(-0.5 - CAMERA.cx) / CAMERA.fx, (-0.5 - CAMERA.cy) / CAMERA.fy, 1]) * 0.5
    assert np.allclose(lines[0, 1] - [2, 0, 0], corner, atol=1e-4)


def test_a_large_mesh_is_simplified_and_a_small_one_is_not(monkeypatch):
    steps = np.arange(12)
    xyz = np.stack([*np.meshgrid(steps, steps), np.ones((12, 12))], -1).reshape(-1, 3)
    corner = (steps[:-1, None] * 12 + steps[None, :-1]).reshape(-1, 1)
    faces = np.concatenate([corner + np.int32([0, 1, 12]), corner + np.int32([1, 13, 12])])
    count = len(xyz)
    cloud = PointCloud(
        xyz.astype(np.float32),
        np.tile(np.float32([0, 0, -1]), (count, 1)),
        np.full((count, 3), 77, np.uint8),
        np.ones(count, np.float32),
    )

    def face_count():
        layer = mesh_layer("m", Mesh(cloud, faces.astype(np.int32)))
        assert np.all(colors(layer) == 77)
        return len(base64.b64decode(layer["indices"])) // 12

    assert face_count() == len(faces)
    monkeypatch.setattr(scene, "MAX_FACES", 100)
    assert face_count() == pytest.approx(100, abs=2)
