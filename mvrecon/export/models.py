"""The mesh and the cloud: glTF, OBJ, USDZ, PLY, LAS."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import numpy as np

from mvrecon.export.source import require, require_package
from mvrecon.formats.mesh import read_cloud_ply
from mvrecon.formats.textured_mesh import TexturedMesh, read_textured_glb, write_obj

LAS_STEPS = 2_000_000_000  # coordinates are whole numbers of 32 bits, with a sign


def export_glb(run_dir: Path, out: Path) -> None:
    """The textured mesh, or the one with vertex colours where there is no texture."""
    shutil.copyfile(require(run_dir, "mesh.glb"), out)


def export_ply(run_dir: Path, out: Path) -> None:
    """The mesh with colours, normals and confidence of its vertices."""
    shutil.copyfile(require(run_dir, "mesh.ply"), out)


def export_obj(run_dir: Path, out: Path) -> None:
    """The textured mesh as OBJ, with MTL and PNG beside it."""
    write_obj(out, read_textured_glb(require(run_dir, "mesh.glb")))


def export_usdz(run_dir: Path, out: Path) -> None:
    """The textured mesh for Apple's viewers and USD programs; z up, a unit is a metre."""
    require_package("pxr", "usd")
    mesh = read_textured_glb(require(run_dir, "mesh.glb"))
    with tempfile.TemporaryDirectory() as folder:
        _write_usd(mesh, Path(folder))
        from pxr import Sdf, UsdUtils

        layer = Sdf.AssetPath(str(Path(folder) / "mesh.usdc"))
        if not UsdUtils.CreateNewUsdzPackage(layer, str(out.absolute())):
            raise OSError(f"USD cannot write {out}")


def _write_usd(mesh: TexturedMesh, folder: Path) -> None:
    from pxr import Gf, Sdf, Usd, UsdGeom, UsdShade, Vt

    (folder / "texture.jpg").write_bytes(mesh.jpeg)
    stage = Usd.Stage.CreateNew(str(folder / "mesh.usdc"))
    UsdGeom.SetStageUpAxis(stage, UsdGeom.Tokens.z)
    UsdGeom.SetStageMetersPerUnit(stage, 1.0)
    root = UsdGeom.Xform.Define(stage, "/model")
    stage.SetDefaultPrim(root.GetPrim())
    shape = UsdGeom.Mesh.Define(stage, "/model/mesh")
    shape.CreatePointsAttr(Vt.Vec3fArray.FromNumpy(mesh.xyz_n3))
    shape.CreateNormalsAttr(Vt.Vec3fArray.FromNumpy(mesh.normals_n3))
    shape.SetNormalsInterpolation(UsdGeom.Tokens.vertex)
    shape.CreateFaceVertexCountsAttr(
        Vt.IntArray.FromNumpy(np.full(len(mesh.faces_m3), 3, np.int32))
    )
    shape.CreateFaceVertexIndicesAttr(Vt.IntArray.FromNumpy(mesh.faces_m3.ravel()))
    shape.CreateSubdivisionSchemeAttr(UsdGeom.Tokens.none)
    shape.CreateDoubleSidedAttr(True)
    low_3, high_3 = mesh.xyz_n3.min(axis=0), mesh.xyz_n3.max(axis=0)
    shape.CreateExtentAttr([Gf.Vec3f(*low_3.tolist()), Gf.Vec3f(*high_3.tolist())])
    # USD counts the picture's rows from below.
    uv_n2 = np.stack([mesh.uv_n2[:, 0], 1 - mesh.uv_n2[:, 1]], axis=1).astype(np.float32)
    UsdGeom.PrimvarsAPI(shape).CreatePrimvar(
        "st", Sdf.ValueTypeNames.TexCoord2fArray, UsdGeom.Tokens.vertex
    ).Set(Vt.Vec2fArray.FromNumpy(uv_n2))
    material = UsdShade.Material.Define(stage, "/model/material")
    surface = UsdShade.Shader.Define(stage, "/model/material/surface")
    surface.CreateIdAttr("UsdPreviewSurface")
    reader = UsdShade.Shader.Define(stage, "/model/material/st")
    reader.CreateIdAttr("UsdPrimvarReader_float2")
    reader.CreateInput("varname", Sdf.ValueTypeNames.String).Set("st")
    texture = UsdShade.Shader.Define(stage, "/model/material/texture")
    texture.CreateIdAttr("UsdUVTexture")
    texture.CreateInput("file", Sdf.ValueTypeNames.Asset).Set("texture.jpg")
    texture.CreateInput("st", Sdf.ValueTypeNames.Float2).ConnectToSource(
        reader.ConnectableAPI(), "result"
    )
    surface.CreateInput("diffuseColor", Sdf.ValueTypeNames.Color3f).ConnectToSource(
        texture.ConnectableAPI(), "rgb"
    )
    surface.CreateInput("roughness", Sdf.ValueTypeNames.Float).Set(1.0)
    material.CreateSurfaceOutput().ConnectToSource(surface.ConnectableAPI(), "surface")
    UsdShade.MaterialBindingAPI.Apply(shape.GetPrim()).Bind(material)
    stage.Save()


def export_las(run_dir: Path, out: Path) -> None:
    """The point cloud with colours, and `confidence` as a dimension of its own."""
    require_package("laspy", "las")
    import laspy

    cloud = read_cloud_ply(require(run_dir, "cloud.ply"))
    header = laspy.LasHeader(point_format=7, version="1.4")
    header.add_extra_dim(laspy.ExtraBytesParams(name="confidence", type=np.float32))
    low_3, size_3 = cloud.xyz_n3.min(axis=0), np.ptp(cloud.xyz_n3, axis=0)
    header.offsets = low_3.astype(np.float64)
    header.scales = np.maximum(size_3.astype(np.float64), 1e-6) / LAS_STEPS
    points = laspy.LasData(header)
    points.x, points.y, points.z = cloud.xyz_n3.T.astype(np.float64)
    # LAS has colours of 16 bits.
    points.red, points.green, points.blue = cloud.rgb_n3.T.astype(np.uint16) * 257
    points["confidence"] = cloud.confidence_n
    points.write(str(out))
