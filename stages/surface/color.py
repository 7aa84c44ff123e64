"""Vertex colours from the views that see a vertex most closely and frontally."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mvrecon.geometry.camera import Camera
from mvrecon.render import MeshRenderer

Array = NDArray[np.float32]
ImageLoader = Callable[[str], NDArray[np.uint8]]

# A view of half the quality counts 2^4 = 16 times less: crisp, yet blended where views tie.
SHARPNESS = 4.0
HIDDEN_WEIGHT = 1e-9  # colours a vertex that no view sees, and no other
OCCLUSION_SIDE_PX = 640  # of the map that tells what hides a vertex: fine enough for a mesh
CHUNK_VERTICES = 65_536  # temporary arrays of a chunk stay in the processor's cache
PIXELS_PER_VOXEL = 2.0  # finer images than this alias in the vertices' colours
# What hides a vertex is nearer by this many voxels; more where the surface is slanted.
SLACK_VOXELS = 2.0
MIN_SLANT, MIN_FACING = 0.2, 0.02  # cosines below which slack and weight change no more


@dataclass(frozen=True)
class VertexColors:
    """Weighted sums of colour over views.

    Attributes:
        vertices_n3, normals_n3: what is coloured.
        voxel_size: world units; depth differences below two voxels hide nothing.
        reference_depth: world units; scale of the distance term.
        rgb_sum_n3, weight_sum_n: sums over the views so far.
    """

    vertices_n3: Array
    normals_n3: Array
    voxel_size: float
    reference_depth: float
    rgb_sum_n3: Array
    weight_sum_n: Array

    @classmethod
    def start(
        cls, vertices_n3: Array, normals_n3: Array, voxel_size: float, reference_depth: float
    ) -> VertexColors:
        """No view seen yet."""
        count = len(vertices_n3)
        sums = np.zeros((count, 3), np.float32), np.zeros(count, np.float32)
        return cls(vertices_n3, normals_n3, voxel_size, reference_depth, *sums)

    def add(
        self,
        image_hw3: NDArray[np.uint8],
        camera: Camera,
        world_from_cam: NDArray[np.float64],
        surface: MeshRenderer,
        pool: ThreadPoolExecutor,
        *,
        moving_hw: NDArray[np.bool_] | None = None,
    ) -> None:
        """Add one view.

        Args:
            image_hw3: undistorted image of `camera`'s size.
            camera: pinhole camera.
            world_from_cam: (4, 4).
            surface: what may hide a vertex.
            pool: chunks are disjoint, so the result does not depend on its size.
            moving_hw: where something hides the surface that is not part of it; of any size.
        """
        image_hw3, camera = self._matched_resolution(image_hw3, camera)
        scale = min(1.0, OCCLUSION_SIDE_PX / max(camera.width, camera.height))
        small = camera.scaled(round(camera.width * scale), round(camera.height * scale))
        nearest_hw = _nearest(surface, small, world_from_cam)
        if moving_hw is not None:
            size = small.width, small.height
            nearest_hw[cv2.resize(moving_hw.astype(np.uint8), size) > 0] = -np.inf
        view = _View(image_hw3, camera, small, nearest_hw, world_from_cam)
        starts = range(0, len(self.vertices_n3), CHUNK_VERTICES)
        for _ in pool.map(lambda at: self._add(slice(at, at + CHUNK_VERTICES), view), starts):
            pass

    def rgb(self) -> NDArray[np.uint8]:
        """Colours (n, 3) so far; mid grey where no view looks at all."""
        weight_n1 = self.weight_sum_n[:, None]
        rgb_n3 = np.where(weight_n1 > 0, self.rgb_sum_n3 / np.maximum(weight_n1, 1e-30), 128.0)
        return np.round(np.clip(rgb_n3, 0.0, 255.0)).astype(np.uint8)

    def _matched_resolution(
        self, image_hw3: NDArray[np.uint8], camera: Camera
    ) -> tuple[NDArray[np.uint8], Camera]:
        """Shrink an image whose pixels are much finer than the voxels, against aliasing."""
        voxel_px = self.voxel_size * camera.fx / self.reference_depth
        scale = PIXELS_PER_VOXEL / voxel_px
        if scale >= 1.0:
            return image_hw3, camera
        size = max(8, round(camera.width * scale)), max(8, round(camera.height * scale))
        resized_hw3 = cv2.resize(image_hw3, size, interpolation=cv2.INTER_AREA)
        return resized_hw3.astype(np.uint8), camera.scaled(*size)

    def _add(self, part: slice, view: _View) -> None:
        to_vertex_n3 = self.vertices_n3[part] - view.world_from_cam[:3, 3].astype(np.float32)
        cam_n3 = to_vertex_n3 @ view.world_from_cam[:3, :3].astype(np.float32)
        u_n, v_n = _pixels(view.camera, cam_n3)
        inside_n = (cam_n3[:, 2] > 0) & (u_n >= 0) & (v_n >= 0)
        inside_n &= (u_n <= view.camera.width - 1) & (v_n <= view.camera.height - 1)
        rows = np.nonzero(inside_n)[0]
        if len(rows) == 0:
            return
        rgb_n3 = _sample(view.image_hw3, u_n[rows], v_n[rows], cv2.INTER_LINEAR)
        cam_n3, to_vertex_n3 = cam_n3[rows], to_vertex_n3[rows]
        nearest_n = _sample(view.nearest_hw, *_pixels(view.small, cam_n3), cv2.INTER_NEAREST)
        distance_n = np.linalg.norm(to_vertex_n3, axis=1)
        facing_n = -np.sum(to_vertex_n3 * self.normals_n3[part][rows], axis=1) / distance_n
        slack_n = SLACK_VOXELS * self.voxel_size / np.clip(facing_n, MIN_SLANT, 1.0)
        seen_n = (cam_n3[:, 2] < nearest_n + slack_n) & (facing_n > 0)
        quality_n = np.clip(facing_n, MIN_FACING, 1.0) * self.reference_depth / distance_n
        weight_n = quality_n**SHARPNESS * np.where(seen_n, 1.0, HIDDEN_WEIGHT)
        rows += part.start
        self.rgb_sum_n3[rows] += rgb_n3 * weight_n[:, None]
        self.weight_sum_n[rows] += weight_n


@dataclass(frozen=True)
class _View:
    """One view while it is added: `small` and `nearest_hw` tell what hides a vertex."""

    image_hw3: NDArray[np.uint8]
    camera: Camera
    small: Camera
    nearest_hw: Array
    world_from_cam: NDArray[np.float64]


def _nearest(surface: MeshRenderer, camera: Camera, world_from_cam: NDArray[np.float64]) -> Array:
    """Smallest depth around each pixel: colours beside an occluder's edge are mixed."""
    depth_hw = surface.depth(camera, world_from_cam)
    depth_hw[depth_hw == 0] = np.inf
    return np.asarray(cv2.erode(depth_hw, np.ones((3, 3))), np.float32)


def _pixels(camera: Camera, cam_n3: Array) -> tuple[Array, Array]:
    """Where points in camera coordinates appear; meaningless behind the camera."""
    z_n = np.maximum(cam_n3[:, 2], np.float32(1e-9))
    u_n = camera.fx * (cam_n3[:, 0] / z_n) + camera.cx
    v_n = camera.fy * (cam_n3[:, 1] / z_n) + camera.cy
    return u_n.astype(np.float32), v_n.astype(np.float32)


def _sample(image: NDArray[Any], u_n: Array, v_n: Array, interpolation: int) -> Array:
    """Values at pixels, as float32 (n, …)."""
    # OpenCV wants both sides of a map below 32768.
    width = 256
    padding = -len(u_n) % width
    u_map = np.pad(u_n, (0, padding)).reshape(-1, width)
    v_map = np.pad(v_n, (0, padding)).reshape(-1, width)
    values = cv2.remap(image, u_map, v_map, interpolation, borderMode=cv2.BORDER_REPLICATE)
    return values.reshape(-1, *image.shape[2:])[: len(u_n)].astype(np.float32)
