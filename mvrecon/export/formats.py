"""The formats that a run is exported to."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

# Name → place below the folder of the exports, a folder if it has no suffix; a line for the help.
FORMATS: Mapping[str, tuple[str, str]] = {
    "glb": ("mesh.glb", "textured mesh, glTF binary"),
    "obj": ("mesh.obj", "textured mesh, OBJ with MTL and PNG"),
    "usdz": ("mesh.usdz", "textured mesh, USD (extra: usd)"),
    "ply": ("mesh.ply", "mesh with vertex colours"),
    "las": ("cloud.las", "point cloud (extra: las)"),
    "colmap": ("colmap", "images and binary model"),
    "colmap-text": ("colmap_text", "images and text model"),
    "nerfstudio": ("nerfstudio", "transforms.json, images, depth, sparse points"),
    "tum": ("trajectory_tum.txt", "path, TUM"),
    "kitti": ("trajectory_kitti.txt", "path, KITTI"),
    "depth-png": ("depth_png", "depth maps, PNG of 16 bits"),
    "depth-exr": ("depth_exr", "depth maps, EXR (extra: exr)"),
    "images": ("images", "undistorted key frames"),
}


def export(run_dir: Path, name: str, folder: Path) -> Path:
    """Write one format below a folder; returns the file or folder made.

    Raises:
        InputError: the run lacks what the format is made from.
        UsageError: a package that it needs is not installed.
    """
    from mvrecon.export import cameras, depth, models

    writers = {
        "glb": models.export_glb,
        "obj": models.export_obj,
        "usdz": models.export_usdz,
        "ply": models.export_ply,
        "las": models.export_las,
        "colmap": cameras.export_colmap,
        "colmap-text": cameras.export_colmap_text,
        "nerfstudio": cameras.export_nerfstudio,
        "tum": cameras.export_tum,
        "kitti": cameras.export_kitti,
        "depth-png": depth.export_depth_png,
        "depth-exr": depth.export_depth_exr,
        "images": cameras.export_images,
    }
    out = folder / FORMATS[name][0]
    (folder if out.suffix else out).mkdir(parents=True, exist_ok=True)
    writers[name](run_dir, out)
    return out
