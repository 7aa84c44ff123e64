"""Cameras with their images, and paths: COLMAP, nerfstudio, TUM, KITTI."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np

from mvrecon.artifacts.depth import DepthMap
from mvrecon.export.source import require
from mvrecon.formats.colmap.files import read_model, write_model
from mvrecon.formats.colmap.text import write_text_model
from mvrecon.formats.images import write_png
from mvrecon.formats.mesh import PointCloud, write_cloud_ply
from mvrecon.formats.trajectory import read_trajectory

# Of nerfstudio's depth images, its own default: a world unit has so many steps.
NERFSTUDIO_STEPS = 1000


def export_colmap(run_dir: Path, out: Path) -> None:
    """A COLMAP workspace: undistorted images, and the binary model in sparse/0."""
    _colmap(run_dir, out, text=False)


def export_colmap_text(run_dir: Path, out: Path) -> None:
    """The same with a text model."""
    _colmap(run_dir, out, text=True)


def _colmap(run_dir: Path, out: Path, text: bool) -> None:
    model = read_model(require(run_dir, "colmap"))
    sparse = out / "sparse" / "0"
    sparse.mkdir(parents=True, exist_ok=True)
    (write_text_model if text else write_model)(model, sparse)
    export_images(run_dir, out / "images")


def export_images(run_dir: Path, out: Path) -> None:
    """The undistorted key frames."""
    out.mkdir(parents=True, exist_ok=True)
    for path in sorted(require(run_dir, "images").iterdir()):
        shutil.copyfile(path, out / path.name)


def export_nerfstudio(run_dir: Path, out: Path) -> None:
    """What nerfstudio's trainers start from: images, depth, sparse points, transforms.json."""
    export_images(run_dir, out / "images")
    transforms = json.loads(require(run_dir, "transforms.json").read_text())
    model = read_model(require(run_dir, "colmap"))
    count = len(model.xyz_n3)
    points = PointCloud(
        model.xyz_n3.astype(np.float32),
        np.zeros((count, 3), np.float32),
        model.rgb_n3,
        np.ones(count, np.float32),
    )
    write_cloud_ply(out / "sparse_pc.ply", points)
    transforms["ply_file_path"] = "sparse_pc.ply"
    (out / "depth").mkdir(exist_ok=True)
    for frame in transforms["frames"]:
        name = Path(frame["file_path"]).stem
        stored = run_dir / "depth" / f"{name}.npz"
        if stored.is_file():
            depth_hw = DepthMap.load(stored).depth_hw
            steps_hw = np.clip(np.round(depth_hw * NERFSTUDIO_STEPS), 0, 65535)
            write_png(out / "depth" / f"{name}.png", steps_hw.astype(np.uint16))
            frame["depth_file_path"] = f"depth/{name}.png"
    (out / "transforms.json").write_text(json.dumps(transforms, indent=1))


def export_tum(run_dir: Path, out: Path) -> None:
    """The path in TUM's format."""
    shutil.copyfile(require(run_dir, "trajectory.txt"), out)


def export_kitti(run_dir: Path, out: Path) -> None:
    """The path in KITTI's format: twelve numbers of world_from_cam a line, row by row."""
    trajectory = read_trajectory(require(run_dir, "trajectory.txt"))
    np.savetxt(out, trajectory.world_from_cam_n44[:, :3].reshape(-1, 12), "%.9g")
