import json
import struct

import numpy as np
import open3d as o3d
import pytest

from mvrecon.errors import InputError
from mvrecon.formats.mesh import (
    Mesh,
    PointCloud,
    linear_from_srgb,
    read_cloud_ply,
    read_mesh_ply,
    sample_cloud_ply,
    write_cloud_ply,
    write_glb,
    write_mesh_ply,
)


@pytest.fixture
def mesh():
    rng = np.random.default_rng(0)
    normals = rng.normal(size=(20, 3)).astype(np.float32)
    points = PointCloud(
        xyz_n3=rng.normal(size=(20, 3)).astype(np.float32),
        normals_n3=normals / np.linalg.norm(normals, axis=1, keepdims=True),
        rgb_n3=rng.integers(0, 256, (20, 3)).astype(np.uint8),
        confidence_n=rng.random(20).astype(np.float32),
    )
    faces = np.stack([rng.permutation(20)[:3] for _ in range(30)]).astype(np.int32)
    return Mesh(points, faces)


def assert_same_points(first, second):
    for name, values in vars(first).items():
        assert np.array_equal(values, getattr(second, name)), name


def test_a_part_of_a_cloud_is_evenly_taken(mesh, tmp_path):
    write_cloud_ply(tmp_path / "c.ply", mesh.points)
    assert_same_points(sample_cloud_ply(tmp_path / "c.ply", 20), mesh.points)
    assert_same_points(
        sample_cloud_ply(tmp_path / "c.ply", 7), mesh.points.rows(slice(None, None, 3))
    )


def test_a_part_of_what_is_no_cloud_is_refused(mesh, tmp_path):
    path = tmp_path / "c.ply"
    write_cloud_ply(path, mesh.points)
    whole = path.read_bytes()
    foreign = whole.replace(b"red", b"rot")
    for data in (b"", whole[:-1], whole[:40], foreign, whole.replace(b"vertex 20", b"vertex -1")):
        path.write_bytes(data)
        with pytest.raises(InputError, match="damaged"):
            sample_cloud_ply(path, 7)
    with pytest.raises(InputError, match="damaged"):
        sample_cloud_ply(tmp_path / "none.ply", 7)


def test_ply_round_trip(mesh, tmp_path):
    write_mesh_ply(tmp_path / "mesh.ply", mesh)
    write_cloud_ply(tmp_path / "cloud.ply", mesh.points)
    again = read_mesh_ply(tmp_path / "mesh.ply")
    assert_same_points(mesh.points, again.points)
    assert np.array_equal(mesh.faces_m3, again.faces_m3)
    assert_same_points(mesh.points, read_cloud_ply(tmp_path / "cloud.ply"))


def test_open3d_reads_the_glb(mesh, tmp_path):
    write_glb(tmp_path / "mesh.glb", mesh)
    again = o3d.io.read_triangle_mesh(str(tmp_path / "mesh.glb"))
    # The reader may number vertices anew; corners of faces are what stays.
    corners, expected = np.asarray(again.triangles), mesh.faces_m3
    points = mesh.points
    # In glTF y is up: (x, y, z) of the world is seen as (x, z, -y).
    seen = np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]]).T
    vertices = np.asarray(again.vertices)[corners]
    assert np.allclose(vertices, points.xyz_n3[expected] @ seen, atol=1e-6)
    normals = np.asarray(again.vertex_normals)[corners]
    assert np.allclose(normals, points.normals_n3[expected] @ seen, atol=1e-5)
    colors = np.asarray(again.vertex_colors)[corners]
    assert np.allclose(colors, linear_from_srgb(points.rgb_n3)[expected], atol=1e-4)


def test_glb_has_the_layout_of_the_specification(mesh, tmp_path):
    write_glb(tmp_path / "mesh.glb", mesh)
    data = (tmp_path / "mesh.glb").read_bytes()
    magic, version, length, json_length, json_kind = struct.unpack("<4sIII4s", data[:20])
    assert (magic, version, length, json_kind) == (b"glTF", 2, len(data), b"JSON")
    assert json_length % 4 == 0
    gltf = json.loads(data[20 : 20 + json_length])
    binary_length, binary_kind = struct.unpack("<I4s", data[20 + json_length : 28 + json_length])
    assert binary_kind == b"BIN\0"
    assert binary_length == gltf["buffers"][0]["byteLength"] == len(data) - 28 - json_length
    assert set(gltf["meshes"][0]["primitives"][0]["attributes"]) == {
        "POSITION",
        "NORMAL",
        "COLOR_0",
    }
    assert all(view["byteOffset"] % 4 == 0 for view in gltf["bufferViews"])
    assert gltf["accessors"][0]["min"] == mesh.points.xyz_n3.min(axis=0).tolist()


def test_linear_light():
    """Values of the standard's curve."""
    linear = linear_from_srgb(np.array([0, 10, 188, 255], np.uint8))
    assert np.allclose(linear, [0.0, 0.003035, 0.502886, 1.0], atol=1e-5)


def test_unreadable_files_are_input_errors(mesh, tmp_path):
    with pytest.raises(InputError, match="no file"):
        read_mesh_ply(tmp_path / "missing.ply")
    write_cloud_ply(tmp_path / "cloud.ply", mesh.points)
    with pytest.raises(InputError, match="no triangles"):
        read_mesh_ply(tmp_path / "cloud.ply")
    (tmp_path / "empty.ply").write_text("not a ply")
    with pytest.raises(InputError):
        read_cloud_ply(tmp_path / "empty.ply")
