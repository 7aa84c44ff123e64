"""Stores as runs leave them, small: a square of 2 × 2 units, four units before three cameras."""

from __future__ import annotations

import numpy as np

from mvrecon.artifacts.depth import DepthMap, depth_item
from mvrecon.artifacts.frames import image_item
from mvrecon.artifacts.poses import (
    POINTS_ITEM,
    POSES_ITEM,
    PosedFrame,
    SparsePoints,
    poses_to_json,
)
from mvrecon.engine.keys import Key
from mvrecon.engine.store import SUMMARY_ITEM, Store
from mvrecon.formats.images import encode_jpeg, write_jpeg
from mvrecon.formats.mesh import Mesh, PointCloud, write_cloud_ply, write_mesh_ply
from mvrecon.formats.textured_mesh import TexturedMesh, write_textured_glb
from mvrecon.geometry.camera import Camera
from mvrecon.run_dir import RunRecord

CAMERA = Camera(64, 48, 60.0, 60.0, 31.5, 23.5)
XYZ = np.float32([[-1, -1, 4], [1, -1, 4], [1, 1, 4], [-1, 1, 4]])
NORMALS = np.tile(np.float32([0, 0, -1]), (4, 1))
FACES = np.int32([[0, 2, 1], [0, 3, 2]])
CONFIDENCE = np.float32([0.0, 0.0, 1.0, 1.0])
RGB = np.uint8([[250, 0, 0], [0, 250, 0], [0, 0, 250], [9, 9, 9]])
POINTS = PointCloud(XYZ, NORMALS, RGB, CONFIDENCE)
NEEDS = {
    "frames": (),
    "flow": ("frames",),
    "pose": ("frames", "flow"),
    "depth": ("frames", "flow", "pose"),
    "fusion": ("frames", "pose", "depth"),
    "surface": ("frames", "pose", "fusion"),
    "texture": ("frames", "pose", "surface"),
    # Of a volume.
    "load": (),
    "segment": ("load",),
    "mesh": ("load", "segment"),
}
NAMES = ("000000", "000004", "000009")


class FakeRun:
    """A run directory to which stages are added one by one."""

    def __init__(self, folder, names=NAMES, scale="arbitrary"):
        self.folder, self.names, self.scale = folder, names, scale
        self.store = Store(folder / "store")
        RunRecord(folder / "clip.mp4", {}).save(folder)

    def until(self, last):
        for stage in NEEDS:
            self.add(stage)
            if stage == last:
                return self
        raise AssertionError(last)

    def add(self, stage, version=1):
        """Finish a stage: another version holds something else."""
        inputs = {name: self.store.latest(name).digest for name in NEEDS[stage]}
        key = Key({"stage": stage, "version": version, "inputs": inputs})
        partial = self.store.open_partial(stage, key)
        partial.write_text("version", str(version))
        numbers = f'{{"numbers": {{"scale": "{self.scale}"}}, "warnings": []}}'
        partial.write_text(SUMMARY_ITEM, numbers)
        getattr(self, f"_{stage}", lambda _: None)(partial)
        partial.finish(key, {}, self.store.folder(stage, key))
        self.store.set_latest(self.store.find(stage, key))

    def _pose(self, items):
        frames = []
        for index, name in enumerate(self.names):
            pose = np.eye(4)
            pose[0, 3] = 0.5 * index
            frames.append(PosedFrame(name, index / 10, CAMERA, CAMERA, pose))
            photo = np.full((48, 64, 3), (200, 40 * index, 0), np.uint8)
            items.write(image_item(name), lambda path, photo=photo: write_jpeg(path, photo, 95))
        items.write_text(POSES_ITEM, poses_to_json(frames))
        none = np.zeros(0, np.int32)
        sparse = SparsePoints(
            XYZ.astype(np.float64), RGB, np.zeros(4, np.float32), none, none, np.zeros((0, 2))
        )
        items.write(POINTS_ITEM, sparse.save)

    def _depth(self, items):
        for index, name in enumerate(self.names):
            depth_hw = np.full((24, 32), 4.0, np.float32)
            depth_hw[0] = 0
            pose = np.eye(4)
            pose[0, 3] = 0.5 * index
            half = CAMERA.scaled(32, 24).k_33
            items.write(depth_item(name), DepthMap(depth_hw, depth_hw / 4, half, pose).save)

    _fusion = _depth

    def _mesh(self, items):
        items.write("mesh.ply", lambda path: write_mesh_ply(path, Mesh(POINTS, FACES)))

    def _surface(self, items):
        items.write("mesh.ply", lambda path: write_mesh_ply(path, Mesh(POINTS, FACES)))
        items.write("cloud.ply", lambda path: write_cloud_ply(path, POINTS))

    def _texture(self, items):
        items.write("mesh.glb", lambda path: write_textured_glb(path, textured()))


def textured():
    """The square with a picture: red on its left, blue on its right."""
    picture = np.full((32, 32, 3), (0, 0, 255), np.uint8)
    picture[:, :16] = (255, 0, 0)
    uv = np.float32([[0, 0], [1, 0], [1, 1], [0, 1]])
    return TexturedMesh(XYZ, NORMALS, uv, FACES, encode_jpeg(picture, 98))
