"""A static scene: patches joined to one mesh, with their colours baked under a light."""

from __future__ import annotations

import cv2
import numpy as np
import open3d as o3d
from numpy.typing import NDArray

from mvrecon.geometry.raycasting import TriangleScene
from mvrecon.synthetic.lighting import Light, irradiance
from mvrecon.synthetic.shapes import Patch

FloatArray = NDArray[np.float32]

TEXELS_PER_M = 900.0
LIGHT_SAMPLES_PER_M = 120.0
DISPLAY_GAMMA = 2.2


class BakedScene:
    """Patches under a light, ready to be asked for colours along rays.

    Everything is Lambertian, so that the light leaving a surface is the same in all
    directions and is baked into one texture per patch.

    Args:
        patches: the surfaces.
        light: lights them.
        texels_per_m: resolution of the baked colours.
    """

    def __init__(
        self, patches: list[Patch], light: Light, texels_per_m: float = TEXELS_PER_M
    ) -> None:
        self._join(patches, [_texture_size(patch, texels_per_m) for patch in patches])
        self.triangles = TriangleScene(self.vertices_n3, self.triangles_m3)
        baked = [
            _bake(self.triangles, patch, size, light)
            for patch, size in zip(patches, self._sizes, strict=True)
        ]
        self._texels_n3 = np.concatenate([radiance.reshape(-1, 3) for radiance in baked])
        areas = [rows * columns for rows, columns in self._sizes]
        self._offsets = np.concatenate([[0], np.cumsum(areas)[:-1]]).astype(np.int64)

    def _join(self, patches: list[Patch], sizes: list[tuple[int, int]]) -> None:
        """Vertices, triangles, and the corners' texel positions of all patches."""
        vertices, triangles, texels, owners, first = [], [], [], [], 0
        for number, (patch, size) in enumerate(zip(patches, sizes, strict=True)):
            rows, columns = patch.positions_rc3.shape[:2]
            corners_m3 = _grid_triangles(rows, columns)
            points_n3 = patch.positions_rc3.reshape(-1, 3)
            corners_m3 = corners_m3[_areas(points_n3, corners_m3) > 1e-14]
            grid_y, grid_x = np.divmod(np.arange(rows * columns), columns)
            texel_n2 = np.stack(
                [grid_x * (size[1] - 1) / (columns - 1), grid_y * (size[0] - 1) / (rows - 1)], 1
            )
            vertices.append(points_n3)
            triangles.append(corners_m3 + first)
            texels.append(texel_n2[corners_m3])
            owners.append(np.full(len(corners_m3), number))
            first += len(points_n3)
        self.vertices_n3: NDArray[np.float64] = np.concatenate(vertices)
        self.triangles_m3: NDArray[np.int64] = np.concatenate(triangles)
        self._corner_texels_m32 = np.concatenate(texels).astype(np.float32)
        self._owner_m: NDArray[np.int64] = np.concatenate(owners)
        self._sizes = np.array(sizes)

    def radiance(self, origins_n3: FloatArray, directions_n3: FloatArray) -> FloatArray:
        """Linear RGB (n, 3) that arrives along rays, 0 where nothing is met."""
        hits = self.triangles.cast(origins_n3, directions_n3)
        met_n = hits.met_n
        radiance_n3 = np.zeros((len(origins_n3), 3), np.float32)
        radiance_n3[met_n] = self._baked(hits.triangle_n[met_n], hits.barycentric_n2[met_n])
        return radiance_n3

    def mesh(self) -> o3d.geometry.TriangleMesh:
        """The exact geometry, in metres, with vertices shared where patches meet."""
        mesh = o3d.geometry.TriangleMesh(
            o3d.utility.Vector3dVector(self.vertices_n3),
            o3d.utility.Vector3iVector(self.triangles_m3.astype(np.int32)),
        )
        return mesh.remove_duplicated_vertices().remove_unreferenced_vertices()

    def _baked(self, triangle_h: NDArray[np.int64], barycentric_h2: FloatArray) -> FloatArray:
        corners_h32 = self._corner_texels_m32[triangle_h]
        first_h1, second_h1 = barycentric_h2[:, :1], barycentric_h2[:, 1:]
        texel_h2 = (
            (1 - first_h1 - second_h1) * corners_h32[:, 0]
            + first_h1 * corners_h32[:, 1]
            + second_h1 * corners_h32[:, 2]
        )
        owner_h = self._owner_m[triangle_h]
        size_h2 = self._sizes[owner_h]
        low_h2 = np.clip(texel_h2.astype(np.int64), 0, size_h2[:, ::-1] - 2)
        x_h1, y_h1 = np.split(np.clip(texel_h2 - low_h2, 0, 1).astype(np.float32), 2, axis=1)
        index_h = self._offsets[owner_h] + low_h2[:, 1] * size_h2[:, 1] + low_h2[:, 0]
        below_h = index_h + size_h2[:, 1]
        top_h3 = self._texels_n3[index_h] * (1 - x_h1) + self._texels_n3[index_h + 1] * x_h1
        bottom_h3 = self._texels_n3[below_h] * (1 - x_h1) + self._texels_n3[below_h + 1] * x_h1
        return np.asarray(top_h3 * (1 - y_h1) + bottom_h3 * y_h1)


def _grid_triangles(rows: int, columns: int) -> NDArray[np.int64]:
    corner = (np.arange(rows - 1)[:, None] * columns + np.arange(columns - 1)).ravel()
    right, below, across = corner + 1, corner + columns, corner + columns + 1
    halves = [np.stack([corner, right, across], 1), np.stack([corner, across, below], 1)]
    return np.stack(halves, 1).reshape(-1, 3)


def _areas(points_n3: NDArray[np.float64], triangles_m3: NDArray[np.int64]) -> NDArray[np.float64]:
    a, b, c = (points_n3[triangles_m3[:, corner]] for corner in range(3))
    return np.asarray(0.5 * np.linalg.norm(np.cross(b - a, c - a), axis=1))


def _lengths_m(patch: Patch) -> tuple[float, float]:
    """Longest grid line along the rows' direction and along the columns'."""
    steps_y = np.linalg.norm(np.diff(patch.positions_rc3, axis=0), axis=-1).sum(0).max()
    steps_x = np.linalg.norm(np.diff(patch.positions_rc3, axis=1), axis=-1).sum(1).max()
    return float(steps_y), float(steps_x)


def _texture_size(patch: Patch, texels_per_m: float) -> tuple[int, int]:
    length_y, length_x = _lengths_m(patch)
    return max(2, round(length_y * texels_per_m)), max(2, round(length_x * texels_per_m))


def _stretch(grid_rck: NDArray[np.float64], size: tuple[int, int]) -> FloatArray:
    """Bilinear interpolation whose corner samples are the grid's corners."""
    rows, columns = grid_rck.shape[:2]
    y = np.linspace(0, rows - 1, size[0], dtype=np.float32)
    x = np.linspace(0, columns - 1, size[1], dtype=np.float32)
    map_x, map_y = np.meshgrid(x, y)
    source = np.ascontiguousarray(grid_rck, np.float32)
    return np.asarray(cv2.remap(source, map_x, map_y, cv2.INTER_LINEAR), np.float32)


def _bake(
    triangles: TriangleScene, patch: Patch, size: tuple[int, int], light: Light
) -> FloatArray:
    """Linear RGB radiance of a patch's texels (rows, columns, 3)."""
    coarse = _texture_size(patch, LIGHT_SAMPLES_PER_M)
    normals_n3 = _stretch(patch.normals_rc3, coarse).reshape(-1, 3)
    normals_n3 /= np.linalg.norm(normals_n3, axis=1, keepdims=True)
    positions_n3 = _stretch(patch.positions_rc3, coarse).reshape(-1, 3)
    light_n3 = irradiance(triangles, positions_n3, normals_n3, light)
    light_rc3 = _stretch(light_n3.reshape(*coarse, 3).astype(np.float64), size)
    coordinates_n3 = _stretch(patch.coordinates_rc3, size).reshape(-1, 3)
    albedo_n3 = np.clip(patch.texture(coordinates_n3), 0.01, 0.95) ** np.float32(DISPLAY_GAMMA)
    return np.asarray(albedo_n3.reshape(*size, 3) * light_rc3, np.float32)
