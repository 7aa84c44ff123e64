"""The surface that a reconstruction is held against."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import open3d as o3d
from numpy.typing import NDArray

from mvrecon.datasets.posed import PosedImage, PosedSet
from mvrecon.evaluation.metrics.surface import (
    DEFAULT_MIN_VIEWS,
    SurfacePoints,
    count_views,
    diameter,
    own_spread,
    sample_surface,
)
from mvrecon.evaluation.spread import spread
from mvrecon.formats.files import inside
from mvrecon.formats.mesh import read_mesh_ply
from mvrecon.geometry.raycasting import TriangleScene, pixel_rays
from mvrecon.geometry.rigid import inverse_rigid, transform_points

FloatArray = NDArray[np.float64]

MAX_VIEWS = 60
SAMPLES = 100_000
SEED = 0
VOXELS_ACROSS = 500
TRUNCATION_VOXELS = 4.0
BLOCK_VOXELS = 8
BLOCKS_AT_FIRST = 20_000
MIN_WEIGHT = 1.0
HALF_PIXEL_33 = np.array([[0, 0, 0.5], [0, 0, 0.5], [0, 0, 0]])
EXTENT_STEP_PX = 16


@dataclass(frozen=True)
class ReferenceSurface:
    """A true surface.

    Attributes:
        triangles: all that is known of it.
        seen: points on it that at least two of the set's cameras saw.
        judges: views with depth maps that decide which points can be judged; none if the
            surface is complete, so that every point can.
        posed_set: that it was made from.
        accuracy: standard deviation of its own error, world units; None if it is exact.
    """

    triangles: TriangleScene
    seen: SurfacePoints
    judges: tuple[PosedImage, ...]
    posed_set: PosedSet
    accuracy: float | None

    @property
    def diameter(self) -> float:
        """Of what was seen."""
        return diameter(self.seen.xyz_n3)

    def can_judge(self, xyz_n3: FloatArray) -> NDArray[np.bool_]:
        """Whether the truth is known where points are (n,).

        With a complete surface it always is. Else a point must lie on the line of sight
        of a pixel with a true depth: then it is right only if it is near that surface.
        """
        if not self.judges:
            return np.ones(len(xyz_n3), np.bool_)
        known_n = np.zeros(len(xyz_n3), np.bool_)
        for image in self.judges:
            open_points = np.flatnonzero(~known_n)
            cam_n3 = transform_points(inverse_rigid(image.world_from_cam), xyz_n3[open_points])
            open_points, cam_n3 = open_points[cam_n3[:, 2] > 0], cam_n3[cam_n3[:, 2] > 0]
            depth_hw = self.posed_set.read_depth(image)
            known_n[open_points] = nearest(depth_hw, image.depth_camera.project(cam_n3)) > 0
        return known_n


def nearest(values_hw: NDArray[np.float32], pixels_n2: FloatArray) -> NDArray[np.float32]:
    """Values (n,) at the pixels nearest to positions, 0 outside."""
    height, width = values_hw.shape
    x_n, y_n = np.round(np.clip(pixels_n2, -1e6, 1e6)).astype(np.int64).T
    inside_n = (x_n >= 0) & (x_n < width) & (y_n >= 0) & (y_n < height)
    found_n = values_hw[np.where(inside_n, y_n, 0), np.where(inside_n, x_n, 0)]
    return np.where(inside_n, found_n, 0).astype(np.float32)


def build_reference(posed_set: PosedSet) -> ReferenceSurface | None:
    """The set's mesh, or a surface fused from its depth maps, or None without either.

    The accuracy is what the set says. Without that a mesh is exact; a fused surface has the
    spread of the depth maps about it, but at least half a voxel: it has no smaller detail.
    """
    accuracy = posed_set.reference_accuracy
    if posed_set.mesh_file:
        mesh = read_mesh_ply(inside(posed_set.root, posed_set.mesh_file))
        vertices_n3, triangles_m3 = mesh.points.xyz_n3.astype(np.float64), mesh.faces_m3
        judges: tuple[PosedImage, ...] = ()
    else:
        judges = tuple(spread([image for image in posed_set.images if image.depth_file], MAX_VIEWS))
        if not judges:
            return None
        measured_n3, footprint = _measured_points(posed_set, judges)
        voxel = _voxel_size(measured_n3, footprint)
        vertices_n3, triangles_m3 = _fuse_depths(posed_set, judges, voxel)
    if len(triangles_m3) == 0:
        return None
    scene = TriangleScene(vertices_n3, triangles_m3)
    if accuracy is None and judges:
        distance_n = scene.distance(measured_n3[:: max(1, len(measured_n3) // SAMPLES)])
        accuracy = max(own_spread(distance_n), voxel / 2)
    points = sample_surface(vertices_n3, triangles_m3.astype(np.int64), SAMPLES, SEED)
    views = [(image.camera, image.world_from_cam) for image in spread(posed_set.images, MAX_VIEWS)]
    seen = points.only(count_views(points, scene, views) >= DEFAULT_MIN_VIEWS)
    if len(seen.xyz_n3) == 0:
        return None
    return ReferenceSurface(scene, seen, judges, posed_set, accuracy)


def _fuse_depths(
    posed_set: PosedSet, images: Sequence[PosedImage], voxel: float
) -> tuple[FloatArray, NDArray[np.int32]]:
    """Vertices and triangles of a TSDF of true depths (Curless and Levoy, SIGGRAPH 1996)."""
    grid = o3d.t.geometry.VoxelBlockGrid(
        attr_names=("tsdf", "weight"),
        attr_dtypes=(o3d.core.float32, o3d.core.float32),
        attr_channels=(o3d.core.SizeVector([1]), o3d.core.SizeVector([1])),
        voxel_size=voxel,
        block_resolution=BLOCK_VOXELS,
        block_count=BLOCKS_AT_FIRST,
        device=o3d.core.Device("CPU:0"),
    )
    for image in images:
        depth_hw = posed_set.read_depth(image)
        depth = o3d.t.geometry.Image(o3d.core.Tensor.from_numpy(np.ascontiguousarray(depth_hw)))
        # Open3D truncates pixel positions; half a pixel more makes it take the nearest.
        intrinsics = o3d.core.Tensor.from_numpy(image.depth_camera.k_33 + HALF_PIXEL_33)
        extrinsics = o3d.core.Tensor.from_numpy(inverse_rigid(image.world_from_cam))
        limits = (1.0, float(depth_hw.max()) + 1, TRUNCATION_VOXELS)
        blocks = grid.compute_unique_block_coordinates(depth, intrinsics, extrinsics, *limits)
        grid.integrate(blocks, depth, intrinsics, extrinsics, *limits)
    mesh = grid.extract_triangle_mesh(weight_threshold=MIN_WEIGHT)
    if "indices" not in mesh.triangle or len(mesh.triangle.indices) == 0:
        return np.zeros((0, 3)), np.zeros((0, 3), np.int32)
    return _in_fixed_order(mesh.vertex.positions.numpy(), mesh.triangle.indices.numpy())


def _in_fixed_order(
    vertices_n3: NDArray[np.float32], triangles_m3: NDArray[np.integer]
) -> tuple[FloatArray, NDArray[np.int32]]:
    """The same mesh whatever order it came in: threads decide Open3D's, samples depend on it."""
    sorted_n3, place_n = np.unique(vertices_n3, axis=0, return_inverse=True)
    triangles_m3 = place_n.reshape(-1)[triangles_m3]
    first_m1 = triangles_m3.argmin(1)[:, None]
    triangles_m3 = np.take_along_axis(triangles_m3, (first_m1 + np.arange(3)) % 3, axis=1)
    order_m = np.lexsort(triangles_m3.T)
    return sorted_n3.astype(np.float64), triangles_m3[order_m].astype(np.int32)


def _measured_points(posed_set: PosedSet, images: Sequence[PosedImage]) -> tuple[FloatArray, float]:
    """Some points (n, 3) of true depth maps in the world, and what a pixel covers (median)."""
    points, footprints = [], []
    for image in images:
        origins_n3, directions_n3 = (
            rays[::EXTENT_STEP_PX] for rays in pixel_rays(image.depth_camera, image.world_from_cam)
        )
        depth_n = posed_set.read_depth(image).reshape(-1)[::EXTENT_STEP_PX]
        points.append((origins_n3 + depth_n[:, None] * directions_n3)[depth_n > 0])
        footprints.append(depth_n[depth_n > 0] / image.depth_camera.fx)
    return np.concatenate(points), float(np.median(np.concatenate(footprints)))


def _voxel_size(measured_n3: FloatArray, footprint: float) -> float:
    """A small share of the scene's size, but no less than what a pixel covers."""
    low_3, high_3 = np.percentile(measured_n3, [1, 99], axis=0)
    return max(float(np.linalg.norm(high_3 - low_3)) / VOXELS_ACROSS, footprint)
