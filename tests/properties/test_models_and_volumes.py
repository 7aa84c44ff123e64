"""Whole models, flow, poses and volumes: what is written is read back."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from mvrecon.artifacts.flow import FlowPair
from mvrecon.artifacts.poses import PosedFrame, load_poses, poses_to_json
from mvrecon.engine.journal import Journal, write_journal
from mvrecon.formats.colmap.files import read_model, write_model
from mvrecon.formats.colmap.model import ColmapImage, ColmapModel
from mvrecon.formats.colmap.text import write_text_model
from mvrecon.formats.volumes.meta_image import open_meta_image
from mvrecon.formats.volumes.nrrd import open_nrrd
from mvrecon.geometry.camera import Camera
from tests.properties.strategies import cameras, numbers, rigids

Array = NDArray[np.float64]
SIDES = st.integers(1, 9)
SEEDS = st.integers(0, 99)


def colmap_model(camera: Camera, poses_n44: list[Array], points: int, seed: int) -> ColmapModel:
    rng = np.random.default_rng(seed)
    images = []
    for number, pose_44 in enumerate(poses_n44, 1):
        seen = int(rng.integers(0, 8))
        # COLMAP gives a keypoint one point at most, and a point one keypoint an image.
        point_k = rng.permutation(np.r_[np.arange(points), np.full(8, -1)])[:seen]
        xy_k2 = rng.uniform(0, 640, (seen, 2))
        images.append(ColmapImage(number, 7, f"{number:03}.jpg", pose_44, xy_k2, point_k))
    return ColmapModel(
        {7: camera},
        tuple(images),
        rng.normal(size=(points, 3)),
        rng.integers(0, 256, (points, 3)).astype(np.uint8),
        rng.uniform(size=points),
    )


@given(
    cameras(), st.lists(rigids(), min_size=1, max_size=3), st.integers(0, 6), SEEDS, st.booleans()
)
def test_colmap_model(
    camera: Camera, poses: list[Array], points: int, seed: int, as_text: bool
) -> None:
    written = colmap_model(camera, poses, points, seed)
    with tempfile.TemporaryDirectory() as folder:
        (write_text_model if as_text else write_model)(written, Path(folder))
        read = read_model(Path(folder))
    assert [image.name for image in read.images] == [image.name for image in written.images]
    for ours, theirs in zip(read.images, written.images, strict=True):
        np.testing.assert_allclose(ours.cam_from_world, theirs.cam_from_world, atol=1e-9)
        np.testing.assert_allclose(ours.xy_k2, theirs.xy_k2, atol=1e-5)
        np.testing.assert_array_equal(ours.point_k, theirs.point_k)
    np.testing.assert_allclose(read.xyz_n3, written.xyz_n3, atol=1e-12)
    np.testing.assert_array_equal(read.rgb_n3, written.rgb_n3)
    assert (read.cameras[7].width, read.cameras[7].height) == (camera.width, camera.height)
    np.testing.assert_allclose(read.cameras[7].k_33, camera.k_33, rtol=1e-12)
    np.testing.assert_allclose(read.cameras[7].distortion, camera.distortion, rtol=1e-12)


@given(st.lists(st.tuples(cameras(), cameras(), rigids(), numbers(0, 1e5)), max_size=4))
def test_poses(frames: list[tuple[Camera, Camera, Array, float]]) -> None:
    written = [
        PosedFrame(f"{number:06}", time_s, *two_cameras, pose_44, 0.01)
        for number, (*two_cameras, pose_44, time_s) in enumerate(frames)
    ]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "poses.json"
        path.write_text(poses_to_json(written))
        read = load_poses(path)
    assert len(read) == len(written)
    for ours, theirs in zip(read, written, strict=True):
        np.testing.assert_array_equal(ours.world_from_cam, theirs.world_from_cam)
        assert (ours.camera, ours.source_camera) == (theirs.camera, theirs.source_camera)
        assert (ours.name, ours.timestamp_s) == (theirs.name, theirs.timestamp_s)


@given(SIDES, SIDES, numbers(1e-3, 500), SEEDS)
def test_flow_pair(height: int, width: int, largest_px: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    flows = rng.uniform(-largest_px, largest_px, (2, height, width, 2)).astype(np.float32)
    confidences = rng.uniform(size=(2, height, width)).astype(np.float32)
    with tempfile.TemporaryDirectory() as folder:
        FlowPair(*flows, *confidences).save(Path(folder) / "a.npz")
        read = FlowPair.load(Path(folder) / "a.npz")
    # 16 bits a component of its range, 8 a confidence.
    np.testing.assert_allclose(read.forward_hw2, flows[0], atol=largest_px / 2**15)
    np.testing.assert_allclose(read.backward_hw2, flows[1], atol=largest_px / 2**15)
    np.testing.assert_allclose(read.forward_confidence_hw, confidences[0], atol=1 / 500)
    np.testing.assert_allclose(read.reversed().forward_confidence_hw, confidences[1], atol=1 / 500)


@given(SIDES, SIDES, SIDES, rigids(), SEEDS)
def test_volumes(slices: int, rows: int, columns: int, lps_from_ijk_44: Array, seed: int) -> None:
    values_kji = np.random.default_rng(seed).integers(-999, 999, (slices, rows, columns), np.int16)
    axes_33, origin_3 = lps_from_ijk_44[:3, :3], lps_from_ijk_44[:3, 3]

    def text(values: Array) -> str:
        return " ".join(f"{value:.17g}" for value in values)

    vectors = " ".join(f"({text(axis_3).replace(' ', ',')})" for axis_3 in axes_33.T)
    nrrd = (
        "NRRD0004\ntype: short\ndimension: 3\nspace: left-posterior-superior\n"
        f"sizes: {columns} {rows} {slices}\nspace directions: {vectors}\nendian: little\n"
        f"encoding: raw\nspace origin: ({text(origin_3).replace(' ', ',')})\n\n"
    )
    mha = (
        f"NDims = 3\nDimSize = {columns} {rows} {slices}\nElementType = MET_SHORT\n"
        f"TransformMatrix = {text(axes_33.T.ravel())}\nOffset = {text(origin_3)}\n"
        "BinaryData = True\nBinaryDataByteOrderMSB = False\nElementDataFile = LOCAL\n"
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for suffix, header, opened in (("nrrd", nrrd, open_nrrd), ("mha", mha, open_meta_image)):
            path = folder / f"a.{suffix}"
            path.write_bytes(header.encode() + values_kji.astype("<i2").tobytes())
            source = opened(path, folder)
            assert source.shape_kji == (slices, rows, columns)
            np.testing.assert_array_equal(np.concatenate(list(source.slabs())), values_kji)
            expected_44 = np.diag([-1.0, -1, 1, 1]) @ lps_from_ijk_44
            np.testing.assert_allclose(source.ras_from_ijk_44, expected_44, atol=1e-9)


HASHES = st.text("0123456789abcdef", min_size=64, max_size=64)


@given(st.dictionaries(st.text(min_size=1, max_size=9), HASHES, max_size=5), st.integers(0, 400))
def test_journal_cut_anywhere(sha256_of: dict[str, str], cut: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_journal(folder, sha256_of)
        whole = Journal(folder)
        assert all(whole.only(item) == sha256 for item, sha256 in sha256_of.items())
        [path] = folder.iterdir()
        path.write_bytes(path.read_bytes()[:cut])
        cut_off = Journal(folder)
        assert all(cut_off.only(item) in (None, sha256) for item, sha256 in sha256_of.items())
