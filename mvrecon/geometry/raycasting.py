"""Rays against triangles, on the CPU, with arrays in and out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mvrecon.geometry.camera import Camera

if TYPE_CHECKING:
    import open3d as o3d

FloatArray = NDArray[np.float32]


def pixel_rays(
    camera: Camera,
    world_from_cam: NDArray[np.float64],
    dx_px: float = 0.0,
    dy_px: float = 0.0,
) -> tuple[FloatArray, FloatArray]:
    """Origins and directions (h·w, 3) through all pixels, moved by a part of a pixel.

    A direction has length 1 along the optical axis: distances along it are depths.
    """
    y, x = np.mgrid[: camera.height, : camera.width].astype(np.float64)
    plane_n2 = camera.normalize(np.stack([x.ravel() + dx_px, y.ravel() + dy_px], 1))
    cam_n3 = np.concatenate([plane_n2, np.ones((len(plane_n2), 1))], 1)
    directions_n3 = cam_n3 @ world_from_cam[:3, :3].T
    origins_n3 = np.broadcast_to(world_from_cam[:3, 3], directions_n3.shape)
    return origins_n3.astype(np.float32), directions_n3.astype(np.float32)


@dataclass(frozen=True)
class RayHits:
    """The first triangle that each ray meets.

    Attributes:
        distance_n: in lengths of the ray's direction, infinite where nothing is met.
        triangle_n: index of the triangle, meaningless where nothing is met.
        barycentric_n2: weights of the triangle's second and third vertex.
    """

    distance_n: FloatArray
    triangle_n: NDArray[np.int64]
    barycentric_n2: FloatArray

    @property
    def met_n(self) -> NDArray[np.bool_]:
        """Whether the ray meets anything."""
        return np.isfinite(self.distance_n)


class TriangleScene:
    """Triangles ready for ray and distance queries.

    Args:
        vertices_n3: positions.
        triangles_m3: indices into the vertices.
    """

    def __init__(self, vertices_n3: NDArray[np.floating[Any]], triangles_m3: NDArray[Any]) -> None:
        import open3d as o3d

        self.vertices_n3 = vertices_n3
        self.triangles_m3 = triangles_m3
        self._scene = o3d.t.geometry.RaycastingScene()
        self._scene.add_triangles(
            _tensor(vertices_n3.astype(np.float32)), _tensor(triangles_m3.astype(np.uint32))
        )

    def cast(self, origins_n3: FloatArray, directions_n3: FloatArray) -> RayHits:
        """First hit of each ray."""
        answer = self._scene.cast_rays(_rays(origins_n3, directions_n3))
        return RayHits(
            answer["t_hit"].numpy(),
            answer["primitive_ids"].numpy().astype(np.int64),
            answer["primitive_uvs"].numpy(),
        )

    def depth(self, camera: Camera, world_from_cam: NDArray[np.float64]) -> FloatArray:
        """Exact depth (h, w) at a camera's pixel centres, 0 where nothing is met."""
        hits = self.cast(*pixel_rays(camera, world_from_cam))
        depth_n = np.where(hits.met_n, hits.distance_n, 0)
        return depth_n.reshape(camera.height, camera.width).astype(np.float32)

    def blocked(
        self, origins_n3: FloatArray, directions_n3: FloatArray, reach: float
    ) -> NDArray[np.bool_]:
        """Whether anything lies on the ray nearer than `reach` lengths of its direction."""
        answer = self._scene.test_occlusions(_rays(origins_n3, directions_n3), tfar=reach)
        return np.asarray(answer.numpy(), np.bool_)

    def distance(self, points_n3: NDArray[np.floating[Any]]) -> FloatArray:
        """Exact distance (n,) of points to the nearest triangle."""
        return np.asarray(
            self._scene.compute_distance(_tensor(points_n3.astype(np.float32))).numpy()
        )


def _tensor(array: Any) -> o3d.core.Tensor:
    import open3d as o3d

    return o3d.core.Tensor.from_numpy(np.ascontiguousarray(array))


def _rays(origins_n3: FloatArray, directions_n3: FloatArray) -> o3d.core.Tensor:
    return _tensor(np.concatenate([origins_n3, directions_n3], -1).astype(np.float32))
