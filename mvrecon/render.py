"""Pictures of a coloured mesh, ray-cast on the CPU."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mvrecon.formats.mesh import Mesh
from mvrecon.geometry.camera import Camera

FloatArray = NDArray[np.float64]

AMBIENT = 0.3


class MeshRenderer:
    """Renders one mesh from many cameras; the ray-casting structure is built once.

    Args:
        mesh: what to render; its vertex colours are interpolated over the triangles.
        threads: number of threads, 0 = all.
    """

    def __init__(self, mesh: Mesh, threads: int = 0) -> None:
        import open3d as o3d

        self._mesh = mesh
        self._tensor = o3d.core.Tensor.from_numpy
        self._scene = o3d.t.geometry.RaycastingScene(nthreads=threads)
        self._scene.add_triangles(
            o3d.core.Tensor.from_numpy(np.ascontiguousarray(mesh.points.xyz_n3, np.float32)),
            o3d.core.Tensor.from_numpy(np.ascontiguousarray(mesh.faces_m3, np.uint32)),
        )

    def render(
        self,
        camera: Camera,
        world_from_cam: FloatArray,
        shaded: bool = False,
        background: tuple[int, int, int] = (0, 0, 0),
    ) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """Colours and depth as a camera sees them.

        Args:
            camera: intrinsics, with or without distortion.
            world_from_cam: (4, 4), OpenCV axes.
            shaded: grey clay lit from the camera in place of the vertex colours.
            background: colour where there is no surface.

        Returns:
            Image (h, w, 3) and depth along the optical axis (h, w), 0 = no surface.
        """
        hits = self._cast(camera, world_from_cam)
        depth_hw = hits["t_hit"].numpy()
        seen_hw = np.isfinite(depth_hw)
        if shaded:
            colors_k3 = self._clay(hits["primitive_normals"].numpy()[seen_hw], world_from_cam)
        else:
            triangles_k = hits["primitive_ids"].numpy()[seen_hw]
            colors_k3 = self._interpolate(triangles_k, hits["primitive_uvs"].numpy()[seen_hw])
        image_hw3 = np.empty((*depth_hw.shape, 3), np.uint8)
        image_hw3[:] = background
        image_hw3[seen_hw] = np.round(colors_k3).astype(np.uint8)
        return image_hw3, np.where(seen_hw, depth_hw, 0.0).astype(np.float32)

    def depth(self, camera: Camera, world_from_cam: FloatArray) -> NDArray[np.float32]:
        """Depth along the optical axis (h, w), 0 = no surface."""
        depth_hw = self._cast(camera, world_from_cam)["t_hit"].numpy()
        return np.where(np.isfinite(depth_hw), depth_hw, 0.0).astype(np.float32)

    def _cast(self, camera: Camera, world_from_cam: FloatArray) -> Any:
        directions_hw3 = _directions(camera) @ world_from_cam[:3, :3].T.astype(np.float32)
        rays_hw6 = np.empty((camera.height, camera.width, 6), np.float32)
        rays_hw6[..., :3] = world_from_cam[:3, 3]
        rays_hw6[..., 3:] = directions_hw3
        return self._scene.cast_rays(self._tensor(rays_hw6))

    def _interpolate(
        self, triangles_k: NDArray[np.uint32], uv_k2: NDArray[np.float32]
    ) -> FloatArray:
        corners_k3 = self._mesh.faces_m3[triangles_k]
        rgb_n3 = self._mesh.points.rgb_n3
        u_k1, v_k1 = uv_k2[:, :1], uv_k2[:, 1:]
        mixed_k3 = (
            (1.0 - u_k1 - v_k1) * rgb_n3[corners_k3[:, 0]]
            + u_k1 * rgb_n3[corners_k3[:, 1]]
            + v_k1 * rgb_n3[corners_k3[:, 2]]
        )
        return np.asarray(mixed_k3, np.float64).clip(0.0, 255.0)

    def _clay(self, normals_k3: NDArray[np.float32], world_from_cam: FloatArray) -> FloatArray:
        facing_k1 = np.abs(normals_k3 @ world_from_cam[:3, 2])[:, None]
        shade_k1 = 240.0 * (AMBIENT + (1.0 - AMBIENT) * facing_k1)
        return np.repeat(np.asarray(shade_k1, np.float64), 3, axis=1).clip(0.0, 255.0)


@lru_cache(maxsize=4)
def _directions(camera: Camera) -> NDArray[np.float32]:
    """Rays (h, w, 3) in camera axes with z = 1, so that the distance along them is depth."""
    grid_vu = np.mgrid[0 : camera.height, 0 : camera.width]
    pixels_n2 = np.stack([grid_vu[1].ravel(), grid_vu[0].ravel()], axis=1).astype(np.float64)
    directions_hw3 = np.ones((camera.height, camera.width, 3), np.float32)
    directions_hw3[..., :2] = camera.normalize(pixels_n2).reshape(camera.height, camera.width, 2)
    return directions_hw3


def look_at(eye_3: FloatArray, target_3: FloatArray, up_3: FloatArray) -> FloatArray:
    """`world_from_cam` (4, 4) of a camera at `eye_3` that looks at `target_3`.

    `up_3` is a world direction that appears upwards in the image.
    """
    forward_3 = (target_3 - eye_3) / np.linalg.norm(target_3 - eye_3)
    right_3 = np.cross(forward_3, up_3)
    right_3 = right_3 / np.linalg.norm(right_3)
    world_from_cam = np.eye(4)
    world_from_cam[:3, :3] = np.stack([right_3, np.cross(forward_3, right_3), forward_3], axis=1)
    world_from_cam[:3, 3] = eye_3
    return world_from_cam
