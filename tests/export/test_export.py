"""Every format, read back by a program that did not write it."""

import json
import zipfile

import cv2
import laspy
import numpy as np
import OpenEXR
import pytest
import trimesh
from evo.tools import file_interface
from pxr import Usd, UsdGeom

from mvrecon import cli
from mvrecon.artifacts.depth import DepthMap
from mvrecon.export.formats import FORMATS, export
from mvrecon.formats.colmap.files import write_model
from mvrecon.formats.colmap.model import ColmapImage, ColmapModel
from mvrecon.formats.images import encode_jpeg, write_jpeg
from mvrecon.formats.mesh import Mesh, PointCloud, write_cloud_ply, write_mesh_ply
from mvrecon.formats.textured_mesh import TexturedMesh, write_textured_glb
from mvrecon.formats.trajectory import trajectory_text
from mvrecon.formats.transforms import TransformsFrame, transforms_text
from mvrecon.geometry.camera import Camera

CAMERA = Camera(64, 48, 60.0, 61.0, 31.0, 24.0)
XYZ = np.float32([[-1, -1, 4], [1, -1, 4], [1, 1, 4], [-1, 1, 4]])
FACES = np.int32([[0, 2, 1], [0, 3, 2]])
RGB = np.uint8([[250, 0, 0], [0, 250, 0], [0, 0, 250], [9, 9, 9]])
UV = np.float32([[0, 0], [1, 0], [1, 1], [0, 1]])
SEEN = [([10.5, 20.25], 0), ([30.0, 12.0], 2)]


def pose(index):
    turned = np.eye(4)
    angle = 0.1 * index
    turned[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    turned[:3, 3] = index, 2 * index, -index
    return turned


def texture():
    """Red in its upper left quarter."""
    picture = np.full((32, 32, 3), (0, 0, 255), np.uint8)
    picture[:16, :16] = (255, 0, 0)
    return picture


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory):
    root = tmp_path_factory.mktemp("run")
    normals = np.tile(np.float32([0, 0, -1]), (4, 1))
    write_textured_glb(
        root / "mesh.glb", TexturedMesh(XYZ, normals, UV, FACES, encode_jpeg(texture(), 98))
    )
    points = PointCloud(XYZ, normals, RGB, np.float32([0.1, 0.2, 0.3, 0.4]))
    write_mesh_ply(root / "mesh.ply", Mesh(points, FACES))
    write_cloud_ply(root / "cloud.ply", points)
    for name in ("images", "depth", "colmap"):
        (root / name).mkdir()
    names = [f"{index:06d}" for index in range(3)]
    for index, name in enumerate(names):
        picture = np.full((48, 64, 3), 60 * index, np.uint8)
        write_jpeg(root / "images" / f"{name}.jpg", picture, 95)
        depth = np.full((24, 32), 1.5 + index, np.float32)
        depth[0] = 0
        half = CAMERA.scaled(32, 24).k_33
        DepthMap(depth, depth / 10, half, pose(index)).save(root / "depth" / f"{name}.npz")
    frames = [
        TransformsFrame(f"images/{name}.jpg", CAMERA, pose(i)) for i, name in enumerate(names)
    ]
    (root / "transforms.json").write_text(transforms_text(frames))
    (root / "trajectory.txt").write_text(
        trajectory_text([0.0, 0.1, 0.2], [pose(index) for index in range(3)])
    )
    xy, rows = np.float64([xy for xy, _ in SEEN]), np.int64([row for _, row in SEEN])
    images = tuple(
        ColmapImage(i + 1, 1, f"{name}.jpg", np.linalg.inv(pose(i)), xy, rows)
        for i, name in enumerate(names)
    )
    model = ColmapModel({1: CAMERA}, images, XYZ.astype(np.float64), RGB, np.full(4, 0.5))
    write_model(model, root / "colmap")
    return root


@pytest.mark.parametrize("name", ["glb", "obj"])
def test_textured_meshes_in_trimesh(run_dir, tmp_path, name):
    path = export(run_dir, name, tmp_path)
    mesh = trimesh.load(path, force="mesh", process=False)
    if name == "glb":
        # What is up in the world, z, is y to whoever reads glTF.
        assert np.allclose(mesh.bounds, [[-1, 4, -1], [1, 4, 1]])
        mesh.apply_transform(trimesh.transformations.rotation_matrix(np.pi / 2, [1, 0, 0]))
    assert np.allclose(mesh.bounds, [[-1, -1, 4], [1, 1, 4]])
    assert len(mesh.faces) == 2
    corner = np.argmin(mesh.vertices.sum(axis=1))
    # trimesh counts the picture's rows from below.
    assert mesh.visual.uv[corner].tolist() == [0, 1]
    material = mesh.visual.material
    picture = np.asarray(getattr(material, "baseColorTexture", None) or material.image)[..., :3]
    assert np.abs(picture.astype(int) - texture()).mean() < 6


def test_ply_in_trimesh(run_dir, tmp_path):
    mesh = trimesh.load(export(run_dir, "ply", tmp_path), process=False)
    assert mesh.faces.tolist() == FACES.tolist()
    assert mesh.visual.vertex_colors[:, :3].tolist() == RGB.tolist()


def test_usdz_in_usd(run_dir, tmp_path):
    path = export(run_dir, "usdz", tmp_path)
    stage = Usd.Stage.Open(str(path))
    mesh = UsdGeom.Mesh(stage.GetPrimAtPath("/model/mesh"))
    assert np.array(mesh.GetPointsAttr().Get()).tolist() == XYZ.tolist()
    assert list(mesh.GetFaceVertexIndicesAttr().Get()) == FACES.ravel().tolist()
    texcoords = UsdGeom.PrimvarsAPI(mesh).GetPrimvar("st").Get()
    assert np.array(texcoords)[0].tolist() == [0, 1]
    assert UsdGeom.GetStageUpAxis(stage) == "Z"
    inside = zipfile.ZipFile(path).namelist()
    assert inside[0] == "mesh.usdc"
    assert [name.rpartition("/")[2] for name in inside[1:]] == ["texture.jpg"]


def test_las_in_laspy(run_dir, tmp_path):
    points = laspy.read(export(run_dir, "las", tmp_path))
    assert np.abs(points.xyz - XYZ).max() < 1e-6
    assert (np.stack([points.red, points.green, points.blue], 1) // 257).tolist() == RGB.tolist()
    assert points["confidence"] == pytest.approx([0.1, 0.2, 0.3, 0.4])


@pytest.mark.parametrize("name", ["colmap", "colmap-text"])
def test_colmap_models_in_pycolmap(run_dir, tmp_path, name):
    import pycolmap

    folder = export(run_dir, name, tmp_path)
    model = pycolmap.Reconstruction(str(folder / "sparse" / "0"))
    camera = model.cameras[1]
    assert camera.model.name == "PINHOLE"
    assert camera.params == pytest.approx([60.0, 61.0, 31.5, 24.5])
    image = model.images[2]
    assert (folder / "images" / image.name).is_file()
    assert image.cam_from_world().matrix() == pytest.approx(np.linalg.inv(pose(1))[:3])
    assert model.num_points3D() == 4
    assert model.points3D[3].xyz == pytest.approx(XYZ[2])
    assert model.points3D[3].track.length() == 3
    assert image.points2D[0].xy == pytest.approx([11.0, 20.75])
    assert image.points2D[1].point3D_id == 3


def test_nerfstudio_by_its_own_rules(run_dir, tmp_path):
    """As nerfstudio's data parser reads it."""
    folder = export(run_dir, "nerfstudio", tmp_path)
    meta = json.loads((folder / "transforms.json").read_text())
    assert len(trimesh.load(folder / meta["ply_file_path"]).vertices) == 4
    for index, frame in enumerate(meta["frames"]):
        assert (folder / frame["file_path"]).is_file()
        depth = cv2.imread(str(folder / frame["depth_file_path"]), cv2.IMREAD_ANYDEPTH)
        assert depth[5, 5] * 1e-3 == pytest.approx(1.5 + index, abs=1e-3)
        opengl = np.array(frame["transform_matrix"]) @ np.diag([1, -1, -1, 1])
        assert opengl == pytest.approx(pose(index))
    assert meta["frames"][0]["fl_y"] == 61.0


def test_paths_in_evo(run_dir, tmp_path):
    tum = file_interface.read_tum_trajectory_file(str(export(run_dir, "tum", tmp_path)))
    kitti = file_interface.read_kitti_poses_file(str(export(run_dir, "kitti", tmp_path)))
    for path in (tum, kitti):
        assert np.array(path.poses_se3) == pytest.approx(
            np.stack([pose(index) for index in range(3)]), abs=1e-6
        )


def test_depth_as_png_and_exr(run_dir, tmp_path):
    pngs, exrs = (export(run_dir, name, tmp_path) for name in ("depth-png", "depth-exr"))
    scale = json.loads((pngs / "depth.json").read_text())["depth_scale"]
    values = cv2.imread(str(pngs / "000001.png"), cv2.IMREAD_ANYDEPTH)
    assert values.dtype == np.uint16
    assert values[5, 5] / scale == pytest.approx(2.5, rel=1e-4)
    assert values[0, 0] == 0
    with OpenEXR.File(str(exrs / "000001.exr")) as file:
        depth = file.channels()["Z"].pixels
    assert depth[5, 5] == 2.5
    assert depth[0, 0] == 0


def test_images(run_dir, tmp_path):
    assert len(list(export(run_dir, "images", tmp_path).iterdir())) == 3


def test_the_command(run_dir, tmp_path, capsys):
    out = tmp_path / "out"
    assert cli.main(["export", str(run_dir), "--format", "tum", "-o", str(out)]) == 0
    assert capsys.readouterr().out.strip() == str(out / "trajectory_tum.txt")
    assert (out / "trajectory_tum.txt").is_file()


@pytest.mark.parametrize("name", FORMATS)
def test_a_run_that_lacks_it_is_told(tmp_path, capsys, name):
    (tmp_path / "run").mkdir()
    assert cli.main(["export", str(tmp_path / "run"), "--format", name]) == 3
    assert "mvrecon run" in capsys.readouterr().err


def test_a_mesh_without_texture_is_told(run_dir, tmp_path, capsys):
    from mvrecon.formats.mesh import read_mesh_ply, write_glb

    write_glb(tmp_path / "mesh.glb", read_mesh_ply(run_dir / "mesh.ply"))
    assert cli.main(["export", str(tmp_path), "--format", "obj"]) == 3
    assert "has no texture" in capsys.readouterr().err
