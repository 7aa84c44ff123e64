"""What is sent of a run, within its budget."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
import trimesh

from mvrecon.errors import MvreconError
from mvrecon.report.pictures import NO_DEPTH_RGB, confidence_rgb
from mvrecon.viewer import layers
from mvrecon.viewer.state import read_state
from tests.viewer.runs import CAMERA, FACES, NAMES, POINTS, RGB, XYZ, FakeRun


@pytest.fixture(scope="module")
def full(tmp_path_factory):
    return FakeRun(tmp_path_factory.mktemp("run")).until("texture")


@pytest.fixture
def state(full):
    return read_state(full.folder, "run")


def sent(layer):
    return trimesh.load(io.BytesIO(layer.glb), file_type="glb", force="mesh", process=False)


def rgb_of(layer):
    """Linear colours of the vertices, which trimesh leaves out: the third of glTF's parts."""
    size = int.from_bytes(layer.glb[12:16], "little")
    view = json.loads(layer.glb[20 : 20 + size])["bufferViews"][2]
    data = layer.glb[28 + size + view["byteOffset"] :][: view["byteLength"]]
    return np.frombuffer(data, "<u2").reshape(-1, 4)[:, :3] / 65535


def test_the_mesh_is_sent_with_its_texture(state):
    layer = layers.load_mesh(state, by_confidence=False)
    assert sent(layer).visual.material.baseColorTexture.size == (32, 32)
    assert np.array_equal(layer.xyz_n3, XYZ)
    assert np.array_equal(layer.faces_m3, FACES)


def test_the_mesh_is_coloured_by_confidence(state):
    layer = layers.load_mesh(state, by_confidence=True)
    colours = rgb_of(layer)
    assert np.array_equal(colours[0], colours[1])
    assert np.abs(colours[0] - colours[2]).max() > 0.4
    viridis = confidence_rgb(POINTS.confidence_n[:, None])[:, 0]
    assert np.argmax(viridis[2]) == np.argmax(colours[2])


def test_before_there_is_a_texture_the_surface_is_sent(tmp_path):
    run = FakeRun(tmp_path).until("surface")
    layer = layers.load_mesh(read_state(run.folder, "run"), by_confidence=False)
    assert [int(np.argmax(rgb)) for rgb in rgb_of(layer)[:3]] == [0, 1, 2]


def test_a_large_textured_mesh_is_sent_without_texture(state, monkeypatch):
    monkeypatch.setattr(layers, "MAX_GLB_BYTES", 100)
    assert len(rgb_of(layers.load_mesh(state, by_confidence=False))) == len(XYZ)


def test_a_mesh_of_too_many_faces_is_simplified_and_a_huge_one_not_read(state, monkeypatch):
    monkeypatch.setattr(layers, "MAX_FACES", 1)
    assert len(layers.load_mesh(state, by_confidence=True).faces_m3) < len(FACES)
    monkeypatch.setattr(layers, "MAX_PLY_BYTES", 10)
    assert layers.load_mesh(state, by_confidence=True) is None


def test_the_cloud_has_both_colours_and_at_most_so_many_points(state, monkeypatch):
    cloud = layers.load_cloud(state)
    assert np.array_equal(cloud.xyz_n3, XYZ)
    assert np.array_equal(cloud.rgb_n3, RGB)
    assert np.array_equal(cloud.confidence_rgb_n3[0], cloud.confidence_rgb_n3[1])
    assert not np.array_equal(cloud.confidence_rgb_n3[0], cloud.confidence_rgb_n3[2])
    monkeypatch.setattr(layers, "MAX_POINTS", 2)
    assert np.array_equal(layers.load_cloud(state).xyz_n3, XYZ[::2])


def test_poses_alone_show_their_points(tmp_path, monkeypatch):
    state = read_state(FakeRun(tmp_path).until("pose").folder, "run")
    assert np.array_equal(layers.load_cloud(state).xyz_n3, XYZ)
    assert layers.load_mesh(state, by_confidence=False) is None
    assert [frame.name for frame in layers.load_cameras(state)] == list(NAMES)
    assert layers.load_depth(state, NAMES[0]) is None
    monkeypatch.setattr(layers, "MAX_POINTS", 3)
    assert len(layers.load_cloud(state).xyz_n3) == 2


def test_nothing_is_sent_of_nothing(tmp_path):
    state = read_state(FakeRun(tmp_path).folder, "run")
    assert layers.load_mesh(state, by_confidence=False) is None
    assert layers.load_cloud(state) is None
    assert layers.load_cameras(state) == []


def test_pictures_of_a_camera(state, monkeypatch):
    photo = layers.picture(state, NAMES[1], "photo")
    assert np.allclose(photo.mean(axis=(0, 1)), [200, 40, 0], atol=4)
    depth = layers.picture(state, NAMES[1], "depth")
    assert depth.shape == (24, 32, 3)
    assert np.array_equal(depth[0, 0], NO_DEPTH_RGB)
    confidence = layers.picture(state, NAMES[1], "confidence")
    assert np.array_equal(confidence[5, 5], confidence_rgb(np.ones((1, 1)))[0, 0])
    monkeypatch.setattr(layers, "PICTURE_PX", 16)
    assert max(layers.picture(state, NAMES[1], "photo").shape) == 16
    assert max(layers.picture(state, NAMES[1], "depth").shape) == 16


def test_a_thumbnail_is_small_and_none_of_what_is_not_there(state, monkeypatch):
    monkeypatch.setattr(layers, "THUMBNAIL_PX", 8)
    assert layers.thumbnail(state, NAMES[0]).shape == (6, 8, 3)
    assert layers.thumbnail(state, "../../../run") is None


def test_names_lead_nowhere_else(state):
    with pytest.raises(MvreconError):
        layers.picture(state, "../../../../etc/passwd", "photo")
    assert layers.picture(state, "../../../../etc/passwd", "depth") is None


def test_depth_becomes_points_of_the_world(state, monkeypatch):
    points = layers.depth_points(state, NAMES[2])
    assert len(points.xyz_n3) == 23 * 32
    assert np.allclose(points.xyz_n3[:, 2], 4)
    # Pixel (15.5, 11.5) of the small map is on the axis of the third camera, at x = 1.
    half = CAMERA.scaled(32, 24)
    assert points.xyz_n3[0, 0] == pytest.approx(1 + 4 * (0 - half.cx) / half.fx, abs=1e-5)
    assert points.xyz_n3[0, 1] == pytest.approx(4 * (1 - half.cy) / half.fy, abs=1e-5)
    assert np.allclose(points.rgb_n3, [200, 80, 0], atol=4)
    monkeypatch.setattr(layers, "MAX_DEPTH_POINTS", 100)
    assert len(layers.depth_points(state, NAMES[2]).xyz_n3) <= 100


def test_a_camera_opens_as_far_as_its_image():
    frame = layers.PosedFrame("a", 0.0, CAMERA, CAMERA, np.eye(4))
    assert np.tan(layers.vertical_fov_rad(frame) / 2) == pytest.approx(24 / 60)
