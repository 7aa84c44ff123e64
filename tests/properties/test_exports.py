"""What is exported, or written by others, is read back."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import laspy
import nibabel
import numpy as np
import OpenEXR
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pxr import Usd, UsdGeom

from mvrecon.artifacts.depth import DepthMap
from mvrecon.export.depth import export_depth_exr, export_depth_png
from mvrecon.export.models import export_las, export_usdz
from mvrecon.formats.images import encode_jpeg, read_pixels
from mvrecon.formats.mesh import write_cloud_ply
from mvrecon.formats.textured_mesh import TexturedMesh, read_textured_glb, write_textured_glb
from mvrecon.formats.volumes.dicom import DicomOptions, open_dicom
from mvrecon.formats.volumes.nifti import open_nifti
from mvrecon.formats.volumes.source import RAS_FROM_LPS_44
from tests.formats.volumes.files import write_series
from tests.properties.strategies import rigids
from tests.properties.test_formats import cloud

Array = NDArray[np.float64]
SIDES = st.integers(2, 9)
SEEDS = st.integers(0, 99)
# Each example writes files of several libraries.
FEW = settings(max_examples=25)


@FEW
@given(st.integers(1, 60), SEEDS)
def test_las(count: int, seed: int) -> None:
    written = cloud(count, seed)
    with tempfile.TemporaryDirectory() as folder:
        write_cloud_ply(Path(folder) / "cloud.ply", written)
        export_las(Path(folder), Path(folder) / "cloud.las")
        read = laspy.read(Path(folder) / "cloud.las")
    np.testing.assert_allclose(np.asarray(read.xyz), written.xyz_n3, atol=1e-4)
    np.testing.assert_array_equal(np.asarray(read.red) // 257, written.rgb_n3[:, 0])
    np.testing.assert_allclose(np.asarray(read["confidence"]), written.confidence_n, atol=1e-6)


@FEW
@given(SIDES, SIDES, SEEDS)
def test_depth_pictures(height: int, width: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    depth_hw = rng.uniform(0.1, 50, (height, width)).astype(np.float32)
    depth_hw[rng.random((height, width)) < 0.2] = 0
    depth_map = DepthMap(depth_hw, np.ones_like(depth_hw), np.eye(3), np.eye(4))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "depth").mkdir()
        depth_map.save(folder / "depth/000003.npz")
        export_depth_exr(folder, folder / "exr")
        export_depth_png(folder, folder / "png")
        with OpenEXR.File(str(folder / "exr/000003.exr")) as file:
            np.testing.assert_array_equal(file.channels()["Z"].pixels, depth_hw)
        scale = json.loads((folder / "png/depth.json").read_text())["depth_scale"]
        read_hw = read_pixels(folder / "png/000003.png", "stored") / scale
    np.testing.assert_allclose(read_hw, depth_hw, atol=0.51 / scale)
    np.testing.assert_array_equal(read_hw == 0, depth_hw == 0)


@FEW
@given(st.integers(3, 40), st.integers(1, 20), SEEDS)
def test_textured_mesh(count: int, faces: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    normals_n3 = rng.normal(size=(count, 3)).astype(np.float32)
    written = TexturedMesh(
        rng.normal(size=(count, 3)).astype(np.float32),
        normals_n3 / np.linalg.norm(normals_n3, axis=1, keepdims=True),
        rng.uniform(size=(count, 2)).astype(np.float32),
        rng.integers(0, count, (faces, 3)).astype(np.int32),
        encode_jpeg(rng.integers(0, 256, (8, 12, 3)).astype(np.uint8), 90, full_colour=False),
    )
    with tempfile.TemporaryDirectory() as folder:
        write_textured_glb(Path(folder) / "mesh.glb", written)
        read = read_textured_glb(Path(folder) / "mesh.glb")
        export_usdz(Path(folder), Path(folder) / "a.usdz")
        stage = Usd.Stage.Open(str(Path(folder) / "a.usdz"))
        shape = UsdGeom.Mesh(stage.GetPrimAtPath("/model/mesh"))
        points_n3 = np.asarray(shape.GetPointsAttr().Get())
        corners_k = np.asarray(shape.GetFaceVertexIndicesAttr().Get())
        del shape, stage
    assert read.jpeg == written.jpeg
    np.testing.assert_array_equal(points_n3, written.xyz_n3)
    np.testing.assert_array_equal(corners_k, written.faces_m3.ravel())
    np.testing.assert_array_equal(read.faces_m3, written.faces_m3)
    np.testing.assert_array_equal(read.xyz_n3, written.xyz_n3)
    np.testing.assert_allclose(read.uv_n2, written.uv_n2, atol=1e-6)


@FEW
@given(SIDES, SIDES, SIDES, rigids(), SEEDS)
def test_nifti(depth: int, height: int, width: int, pose_44: Array, seed: int) -> None:
    rng = np.random.default_rng(seed)
    volume_kji = rng.integers(-1000, 3000, (depth, height, width)).astype(np.int16)
    ras_from_ijk_44 = pose_44 @ np.diag([*rng.uniform(0.3, 4, 3), 1.0])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.nii.gz"
        image = nibabel.Nifti1Image(volume_kji.T, ras_from_ijk_44)
        image.header.set_xyzt_units("mm")
        nibabel.save(image, path)
        source = open_nifti(path, Path(folder), 0)
        read_kji = np.concatenate(list(source.slabs()))
    np.testing.assert_array_equal(read_kji, volume_kji)
    np.testing.assert_allclose(source.ras_from_ijk_44, ras_from_ijk_44, rtol=1e-5, atol=1e-4)


@FEW
@given(SIDES, SIDES, SIDES, rigids(), SEEDS)
def test_dicom(depth: int, height: int, width: int, pose_44: Array, seed: int) -> None:
    rng = np.random.default_rng(seed)
    volume_kji = rng.integers(-1000, 3000, (depth, height, width)).astype(np.int16)
    lps_from_ijk_44 = pose_44 @ np.diag([*rng.uniform(0.3, 4, 3), 1.0])
    with tempfile.TemporaryDirectory() as folder:
        source = open_dicom(write_series(Path(folder), volume_kji, lps_from_ijk_44), DicomOptions())
        read_kji = np.concatenate(list(source.slabs()))
    found_44 = RAS_FROM_LPS_44 @ source.ras_from_ijk_44
    # Slices are ordered by their places, from either end.
    if found_44[:3, 2] @ lps_from_ijk_44[:3, 2] < 0:
        read_kji = read_kji[::-1]
    np.testing.assert_array_equal(read_kji, volume_kji)
    np.testing.assert_allclose(found_44[:3, :2], lps_from_ijk_44[:3, :2], atol=1e-4)
