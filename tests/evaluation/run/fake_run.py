"""Runs made of the truth, in another world, with errors of known size."""

import json
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from mvrecon.artifacts.depth import DepthMap
from mvrecon.formats.mesh import Mesh, PointCloud, write_mesh_ply
from mvrecon.formats.trajectory import trajectory_text
from mvrecon.geometry.similarity import Similarity
from mvrecon.synthetic.clip import DEPTH_SCALE, write_ground_truth
from mvrecon.synthetic.render import render_depth
from tests.evaluation.metrics.test_trajectory import rotation
from tests.synthetic.scenes import small_scene, small_views

WORLD = Similarity(4.0, rotation([1, -1, 2], 50), np.array([3.0, 1.0, -2.0]))


@dataclass(frozen=True)
class Truth:
    """A rendered scene, written as a posed set with a mesh and one with depth maps only."""

    folder: Path
    scene: object = field(default_factory=small_scene)
    views: list = field(default_factory=lambda: small_views(8))

    @property
    def with_mesh(self):
        return self.folder / "with_mesh"

    @property
    def with_depths(self):
        return self.folder / "with_depths"

    def write(self):
        times_s = np.arange(len(self.views)) / 10
        for folder in (self.with_mesh, self.with_depths):
            write_ground_truth(
                folder, self.scene, self.views, times_s, depth_every=1, video=self.folder / "a.mp4"
            )
        path = self.with_depths / "cameras.json"
        data = json.loads(path.read_text())
        del data["mesh"]
        for number, frame in enumerate(data["frames"]):
            frame["file"] = f"photos/IMG_{number}.jpg"
        path.write_text(json.dumps(data))
        assert data["depth_scale"] == DEPTH_SCALE
        return self


def write_run(
    folder, truth, *, frames=range(8), lost=(), photos=False, depth_factor=1.0, mesh_offset_m=0.0
):
    """A run directory whose world is `WORLD` of the true one.

    `depth_factor` is what depths are wrong by: one number, or one for each view.
    """
    factor_n = np.broadcast_to(depth_factor, len(truth.views)).astype(np.float32)
    (folder / "depth").mkdir(parents=True)
    (folder / "images").mkdir()
    rows, poses = ["index,name,source,timestamp_s,posed,reason"], []
    for index, number in enumerate(frames):
        name = f"{index:06d}"
        source = f"IMG_{number}.jpg" if photos else str(number)
        posed = number not in lost
        rows.append(f"{index},{name},{source},{number / 10},{int(posed)},{'' if posed else 'lost'}")
        if not posed:
            continue
        view = truth.views[number]
        pose = WORLD.apply_to_pose(view.world_from_cam)
        poses.append(pose)
        depth_hw = render_depth(truth.scene, view) * np.float32(WORLD.scale) * factor_n[number]
        confidence_hw = np.ones_like(depth_hw)
        DepthMap(depth_hw, confidence_hw, view.camera.k_33, pose).save(
            folder / "depth" / f"{name}.npz"
        )
        grey = np.full((view.camera.height, view.camera.width, 3), 100, np.uint8)
        cv2.imwrite(str(folder / "images" / f"{name}.png"), grey)
    (folder / "frames.csv").write_text("\n".join(rows) + "\n")
    (folder / "trajectory.txt").write_text(trajectory_text(np.arange(len(poses)) / 10, poses))
    write_mesh_ply(folder / "mesh.ply", _mesh(truth, mesh_offset_m))
    return folder


def _mesh(truth, offset_m):
    vertices = WORLD.apply(truth.scene.vertices_n3 + np.array([0.0, 0.0, offset_m])).astype(
        np.float32
    )
    count = len(vertices)
    points = PointCloud(
        vertices,
        np.tile(np.float32([0, 0, 1]), (count, 1)),
        np.full((count, 3), 125, np.uint8),
        np.ones(count, np.float32),
    )
    return Mesh(points, truth.scene.triangles_m3.astype(np.int32))
