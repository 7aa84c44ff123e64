"""What is written is read back."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from mvrecon.artifacts.depth import DepthMap
from mvrecon.artifacts.poses import SparsePoints
from mvrecon.engine.hashing import canonical_json
from mvrecon.formats.flow import KITTI_SCALE, read_flo, read_kitti_flow, read_pfm, write_kitti_flow
from mvrecon.formats.images import read_pixels, write_png
from mvrecon.formats.mesh import (
    Mesh,
    PointCloud,
    read_cloud_ply,
    read_mesh_ply,
    write_cloud_ply,
    write_mesh_ply,
)
from mvrecon.formats.trajectory import read_trajectory, trajectory_text
from mvrecon.formats.transforms import TransformsFrame, read_transforms, transforms_text
from mvrecon.geometry.camera import Camera
from tests.properties.strategies import cameras, numbers, rigids

Array = NDArray[np.float64]
SIDES = st.integers(1, 12)
NAMES = st.text(st.characters(categories=["L", "N", "P", "S", "Zs"]), min_size=1, max_size=12)


def floats32(most: float) -> st.SearchStrategy[float]:
    return st.floats(-most, most, width=32, allow_nan=False, allow_infinity=False)


def flows(most: float) -> st.SearchStrategy[NDArray[np.float32]]:
    shapes = st.tuples(SIDES, SIDES, st.just(2))
    return shapes.flatmap(lambda shape: arrays(np.float32, shape, elements=floats32(most)))


@given(flows(1000.0))
def test_flo(flow_hw2: NDArray[np.float32]) -> None:
    height, width, _ = flow_hw2.shape
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.flo"
        head = b"PIEH" + np.array([width, height], "<i4").tobytes()
        path.write_bytes(head + flow_hw2.tobytes())
        read_hw2, valid_hw = read_flo(path)
    assert valid_hw.all()
    np.testing.assert_array_equal(read_hw2, flow_hw2)


@given(flows(700.0))
def test_kitti_flow(flow_hw2: NDArray[np.float32]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.png"
        write_kitti_flow(path, flow_hw2)
        read_hw2, valid_hw = read_kitti_flow(path)
    np.testing.assert_array_equal(valid_hw, (np.abs(flow_hw2) < 511.9).all(-1) | valid_hw)
    assert not valid_hw[(np.abs(flow_hw2) > 512.1).any(-1)].any()
    half_step = 0.5 / float(KITTI_SCALE) + 1e-4
    assert (np.abs(read_hw2 - flow_hw2)[valid_hw] <= half_step).all()


@given(SIDES, SIDES, st.booleans(), st.booleans(), st.integers(0, 99))
def test_pfm(height: int, width: int, colour: bool, little: bool, seed: int) -> None:
    shape = (height, width, 3) if colour else (height, width)
    values = np.random.default_rng(seed).normal(size=shape).astype(np.float32)
    head = f"{'PF' if colour else 'Pf'}\n{width} {height}\n{-1.0 if little else 1.0}\n"
    body = values[::-1].astype("<f4" if little else ">f4").tobytes()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.pfm"
        path.write_bytes(head.encode() + body)
        np.testing.assert_array_equal(read_pfm(path), values)


@given(SIDES, SIDES, st.sampled_from([np.uint8, np.uint16]), st.booleans(), st.integers(0, 99))
def test_png(height: int, width: int, kind: type, colour: bool, seed: int) -> None:
    shape = (height, width, 3) if colour else (height, width)
    values = np.random.default_rng(seed).integers(0, np.iinfo(kind).max, shape).astype(kind)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.png"
        write_png(path, values)
        read = read_pixels(path, "stored")
    # Stored pixels are as the library gives them, blue first.
    np.testing.assert_array_equal(read[..., ::-1] if colour else read, values)


@given(st.lists(st.tuples(numbers(0, 1e5), rigids()), min_size=1, max_size=5))
def test_trajectory(timed: list[tuple[float, Array]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.txt"
        path.write_text(trajectory_text([t for t, _ in timed], [pose for _, pose in timed]))
        read = read_trajectory(path)
    np.testing.assert_allclose(read.timestamp_s_n, [t for t, _ in timed], atol=1e-6)
    for found_44, (_, pose_44) in zip(read.world_from_cam_n44, timed, strict=True):
        np.testing.assert_allclose(found_44, pose_44, atol=2e-6, rtol=1e-8)


@given(st.lists(st.tuples(NAMES, cameras(), rigids()), min_size=1, max_size=3))
def test_transforms(frames: list[tuple[str, Camera, Array]]) -> None:
    written = [TransformsFrame(name, camera, pose_44) for name, camera, pose_44 in frames]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "transforms.json"
        path.write_text(transforms_text(written))
        read = read_transforms(path)
    for one, (name, camera, pose_44) in zip(read, frames, strict=True):
        assert one.file_path == name
        np.testing.assert_allclose(one.world_from_cam, pose_44, atol=1e-9)
        np.testing.assert_allclose(one.camera.k_33, camera.k_33, rtol=1e-9, atol=1e-9)
        # None at all is a pinhole.
        found = one.camera.distortion or (0.0, 0.0, 0.0, 0.0)
        np.testing.assert_allclose(found, camera.distortion, atol=1e-12)


def cloud(count: int, seed: int) -> PointCloud:
    rng = np.random.default_rng(seed)
    normals_n3 = rng.normal(size=(count, 3)).astype(np.float32)
    return PointCloud(
        rng.normal(size=(count, 3)).astype(np.float32) * 10,
        normals_n3 / np.linalg.norm(normals_n3, axis=1, keepdims=True),
        rng.integers(0, 256, (count, 3)).astype(np.uint8),
        rng.uniform(size=count).astype(np.float32),
    )


@given(st.integers(3, 40), st.integers(1, 20), st.integers(0, 99))
def test_cloud_and_mesh(count: int, faces: int, seed: int) -> None:
    written = cloud(count, seed)
    faces_m3 = np.random.default_rng(seed).integers(0, count, (faces, 3)).astype(np.int32)
    with tempfile.TemporaryDirectory() as folder:
        write_cloud_ply(Path(folder) / "cloud.ply", written)
        write_mesh_ply(Path(folder) / "mesh.ply", Mesh(written, faces_m3))
        clouds = [read_cloud_ply(Path(folder) / "cloud.ply")]
        mesh = read_mesh_ply(Path(folder) / "mesh.ply")
    np.testing.assert_array_equal(mesh.faces_m3, faces_m3)
    for read in (*clouds, mesh.points):
        for name in vars(written):
            np.testing.assert_allclose(
                getattr(read, name), getattr(written, name), atol=1e-6, err_msg=name
            )


@given(SIDES, SIDES, rigids(), st.booleans(), st.integers(0, 99))
def test_depth_map(height: int, width: int, pose_44: Array, guessed: bool, seed: int) -> None:
    rng = np.random.default_rng(seed)
    depth_hw = rng.uniform(0.1, 50, (height, width)).astype(np.float32)
    confidence_hw = rng.uniform(size=(height, width)).astype(np.float32)
    completed_hw = depth_hw * 2 if guessed else None
    written = DepthMap(depth_hw, confidence_hw, np.diag([500.0, 500, 1]), pose_44, completed_hw)
    with tempfile.TemporaryDirectory() as folder:
        written.save(Path(folder) / "a.npz")
        read = DepthMap.load(Path(folder) / "a.npz")
    np.testing.assert_array_equal(read.depth_hw, depth_hw)
    np.testing.assert_allclose(read.confidence_hw, confidence_hw, atol=1e-3)
    np.testing.assert_array_equal(read.world_from_cam, pose_44)
    assert (read.completed_hw is None) == (not guessed)


@given(st.integers(1, 30), st.integers(1, 60), st.integers(0, 99))
def test_sparse_points(count: int, observations: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    written = SparsePoints(
        rng.normal(size=(count, 3)),
        rng.integers(0, 256, (count, 3)).astype(np.uint8),
        rng.uniform(size=count).astype(np.float32),
        rng.integers(0, count, observations).astype(np.int32),
        rng.integers(0, 5, observations).astype(np.int32),
        rng.uniform(0, 640, (observations, 2)).astype(np.float32),
    )
    with tempfile.TemporaryDirectory() as folder:
        written.save(Path(folder) / "points.npz")
        read = SparsePoints.load(Path(folder) / "points.npz")
    for name, value in vars(written).items():
        np.testing.assert_array_equal(getattr(read, name), value, err_msg=name)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | numbers(-1e9, 1e9) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=12,
)


@given(st.dictionaries(st.text(max_size=5), JSON, max_size=5))
def test_canonical_json_knows_no_order(value: dict[str, object]) -> None:
    other = dict(reversed(list(value.items())))
    assert canonical_json(value) == canonical_json(other)
    assert json.loads(canonical_json(value)) == value
