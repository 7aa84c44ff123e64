"""What is sent to a browser of a run, each within its budget."""

from __future__ import annotations

import math
import tempfile
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from mvrecon.artifacts.depth import DepthMap, depth_item
from mvrecon.artifacts.frames import image_item
from mvrecon.artifacts.poses import (
    POINTS_ITEM,
    POSES_ITEM,
    PosedFrame,
    SparsePoints,
    load_poses,
)
from mvrecon.errors import MvreconError
from mvrecon.formats.images import read_rgb
from mvrecon.formats.mesh import Mesh, read_mesh_ply, sample_cloud_ply, write_glb
from mvrecon.formats.textured_mesh import read_textured_glb
from mvrecon.geometry.raycasting import TriangleScene
from mvrecon.geometry.resize import fit_size, resize_by_area
from mvrecon.report.pictures import confidence_rgb, depth_limits, depth_rgb
from mvrecon.report.scene import simplified
from mvrecon.viewer.state import RunState

Picture = NDArray[np.uint8]

MAX_POINTS = 500_000
MAX_FACES = 400_000
MAX_DEPTH_POINTS = 100_000
# Larger meshes are not read for their simplification, which takes about ten times as much memory.
MAX_PLY_BYTES = 512 << 20
# Sent as it is, texture and all.
MAX_GLB_BYTES = 64 << 20
THUMBNAIL_PX = 160
PICTURE_PX = 640


@dataclass(frozen=True)
class MeshLayer:
    """A mesh as it is sent, and its triangles to pick points on.

    Attributes:
        glb: content of a binary glTF file.
        xyz_n3, faces_m3: its vertices in world coordinates, and their indices.
    """

    glb: bytes
    xyz_n3: NDArray[np.float32]
    faces_m3: NDArray[np.int32]

    @cached_property
    def triangles(self) -> TriangleScene:
        """The mesh, ready for rays."""
        return TriangleScene(self.xyz_n3, self.faces_m3)


@dataclass(frozen=True)
class CloudLayer:
    """Points, their colours as photographed and by confidence."""

    xyz_n3: NDArray[np.float32]
    rgb_n3: Picture
    confidence_rgb_n3: Picture


def load_mesh(state: RunState, by_confidence: bool) -> MeshLayer | None:
    """The textured mesh, or one with vertex colours where there is none or it is too large.

    Args:
        state: of the run.
        by_confidence: colour the vertices by confidence.

    Returns:
        The layer; None while there is no mesh, or if it is too large to be read.

    Raises:
        MvreconError: a result is damaged.
    """
    textured = state.first("texture")
    if textured is not None and not by_confidence:
        path = textured.path("mesh.glb")
        if path.stat().st_size <= MAX_GLB_BYTES:
            mesh = read_textured_glb(path)
            return MeshLayer(path.read_bytes(), mesh.xyz_n3, mesh.faces_m3)
    surface = state.first("surface", "mesh")
    if surface is None or surface.path("mesh.ply").stat().st_size > MAX_PLY_BYTES:
        return None
    plain = read_mesh_ply(surface.path("mesh.ply"))
    if by_confidence:
        colours_n3 = confidence_rgb(plain.points.confidence_n[:, None])[:, 0]
        plain = Mesh(replace(plain.points, rgb_n3=colours_n3), plain.faces_m3)
    small = simplified(plain, MAX_FACES)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "mesh.glb"
        write_glb(file, small)
        return MeshLayer(file.read_bytes(), small.points.xyz_n3, small.faces_m3)


def load_cloud(state: RunState) -> CloudLayer | None:
    """The point cloud; before there is one, the sparse points of the poses.

    Raises:
        MvreconError: a result is damaged.
    """
    if surface := state.first("surface"):
        points = sample_cloud_ply(surface.path("cloud.ply"), MAX_POINTS)
        colours_n3 = confidence_rgb(points.confidence_n[:, None])[:, 0]
        return CloudLayer(points.xyz_n3, points.rgb_n3, colours_n3)
    if pose := state.first("pose"):
        sparse = SparsePoints.load(pose.path(POINTS_ITEM))
        step = -(-max(1, len(sparse.xyz_n3)) // MAX_POINTS)
        rgb_n3 = sparse.rgb_n3[::step]
        return CloudLayer(sparse.xyz_n3[::step].astype(np.float32), rgb_n3, rgb_n3)
    return None


def load_cameras(state: RunState) -> list[PosedFrame]:
    """The posed key frames, none before there are poses."""
    pose = state.first("pose")
    return [] if pose is None else load_poses(pose.path(POSES_ITEM))


def thumbnail(state: RunState, name: str) -> Picture | None:
    """A small picture of a posed key frame, None if it cannot be read."""
    try:
        return _photo(state, name, THUMBNAIL_PX)
    except MvreconError:
        return None


def load_depth(state: RunState, name: str) -> DepthMap | None:
    """The best depth map that there is of a posed key frame."""
    depth = state.first("fusion", "depth")
    if depth is None or depth_item(name) not in depth.names(depth_item(name)):
        return None
    return DepthMap.load(depth.path(depth_item(name)))


def picture(state: RunState, name: str, kind: str) -> Picture | None:
    """The `photo`, `depth` or `confidence` of a posed key frame, as it is shown; None if missing.

    Raises:
        MvreconError: a result is damaged.
    """
    if kind == "photo":
        return _photo(state, name, PICTURE_PX)
    depth = load_depth(state, name)
    if depth is None:
        return None
    if kind == "confidence":
        return _shrunk(confidence_rgb(depth.confidence_hw))
    return _shrunk(depth_rgb(depth.depth_hw, depth_limits(depth.depth_hw)))


def depth_points(state: RunState, name: str) -> CloudLayer | None:
    """A depth map's points in the world, at most `MAX_DEPTH_POINTS`; None if there are none."""
    depth = load_depth(state, name)
    if depth is None or not (depth.depth_hw > 0).any():
        return None
    step = math.ceil(math.sqrt(depth.depth_hw.size / MAX_DEPTH_POINTS))
    grid_hw = np.zeros(depth.depth_hw.shape, np.bool_)
    grid_hw[::step, ::step] = True
    y_n, x_n = np.nonzero(grid_hw & (depth.depth_hw > 0))
    plane_n3 = np.linalg.solve(depth.k_33, np.stack([x_n, y_n, np.ones(len(x_n))]).astype(float)).T
    cam_n3 = plane_n3 * depth.depth_hw[y_n, x_n, None]
    world_n3 = cam_n3 @ depth.world_from_cam[:3, :3].T + depth.world_from_cam[:3, 3]
    size = depth.depth_hw.shape[::-1]
    photo_hw3 = cv2.resize(_photo(state, name, max(size)), size)
    colours_n3 = confidence_rgb(depth.confidence_hw)[y_n, x_n]
    return CloudLayer(world_n3.astype(np.float32), photo_hw3[y_n, x_n].astype(np.uint8), colours_n3)


def vertical_fov_rad(frame: PosedFrame) -> float:
    """Angle between the upper and the lower edge of its image."""
    return 2 * math.atan(frame.camera.height / (2 * frame.camera.fy))


def _photo(state: RunState, name: str, longest_px: int) -> Picture:
    return read_rgb(state.current["pose"].path(image_item(name)), longest_px)


def _shrunk(picture_hw3: Picture) -> Picture:
    height, width = picture_hw3.shape[:2]
    return resize_by_area(picture_hw3, fit_size((width, height), PICTURE_PX))
