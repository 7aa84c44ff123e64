"""Confidence-weighted truncated signed distance in sparse blocks of voxels.

Curless and Levoy, "A volumetric method for building complex models from range images",
SIGGRAPH 1996; sparse blocks as in Nießner et al. 2013; extraction by Open3D.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from stages.surface.blocks import BLOCK_VOXELS, Keys
from stages.surface.config import VolumeOptions
from stages.surface.integration import add_view
from stages.surface.views import SurfaceView

Array = NDArray[np.float32]

VOXELS = BLOCK_VOXELS**3
CHUNK_BLOCKS = 256  # temporary arrays of a chunk stay in the processor's cache
TILE_PX = 16  # of the coarse map of the farthest depth, by which blocks are left out
FADE_REACH = 4.0  # how far behind the depth blocks are looked at, in truncations
BYTES_PER_BLOCK = VOXELS * 17  # four sums and the count
# Reach of a depth pixel, in deviations of depth: nearly all of what sees one surface meets in it.
NOISE_DEVIATIONS = 3.0


def voxel_offsets() -> NDArray[np.float64]:
    """Positions (512, 3) of the voxels in a block, in voxels, x fastest as in Open3D."""
    z, y, x = np.mgrid[0:BLOCK_VOXELS, 0:BLOCK_VOXELS, 0:BLOCK_VOXELS]
    return np.stack([x, y, z], axis=-1).reshape(-1, 3).astype(np.float64)


@dataclass(frozen=True)
class Volume:
    """Sums over views for each voxel of each block, (n, 512).

    Attributes:
        keys_n3: block coordinates, sorted.
        voxel_size, truncation: world units.
        distance_sum, weight_sum: weighted signed distance (positive in front) and weight.
        evidence: sum of the confidence of the views that see a surface nearby.
        views: number of those views, up to 255.
        seen_through: sum of the confidence of the views that see something clearly behind.
    """

    keys_n3: Keys
    voxel_size: float
    truncation: float
    distance_sum: Array
    weight_sum: Array
    evidence: Array
    views: NDArray[np.uint8]
    seen_through: Array

    @classmethod
    def empty(cls, keys_n3: Keys, voxel_size: float, truncation: float) -> Volume:
        """A volume that has seen nothing."""
        shape = (len(keys_n3), VOXELS)
        return cls(
            keys_n3=keys_n3,
            voxel_size=voxel_size,
            truncation=truncation,
            distance_sum=np.zeros(shape, np.float32),
            weight_sum=np.zeros(shape, np.float32),
            evidence=np.zeros(shape, np.float32),
            views=np.zeros(shape, np.uint8),
            seen_through=np.zeros(shape, np.float32),
        )

    def integrate(self, view: SurfaceView, carving: float, pool: ThreadPoolExecutor) -> None:
        """Add one view.

        Args:
            view: prepared depth map.
            carving: weight of seen free space relative to seen surface.
            pool: chunks are disjoint, so the result does not depend on its size.
        """
        rows = self._rows_in_view(view)
        chunks = [rows[start : start + CHUNK_BLOCKS] for start in range(0, len(rows), CHUNK_BLOCKS)]
        maps = (view.depth_hw, view.weight_hw, view.slant_hw, view.confidence_hw)
        maps_hw4 = np.stack(maps, axis=2)
        for _ in pool.map(lambda chunk: self._add(chunk, view, maps_hw4, carving), chunks):
            pass

    def _rows_in_view(self, view: SurfaceView) -> NDArray[np.int64]:
        """Blocks that a view may see into: in the image, and not far behind its depth."""
        edge = self.voxel_size * BLOCK_VOXELS
        matrix_34 = view.pixel_from_world
        centers_n3 = (self.keys_n3 + 0.5) * edge
        projected_n3 = centers_n3 @ matrix_34[:, :3].T + matrix_34[:, 3]
        depth_n = projected_n3[:, 2]
        radius = edge * np.sqrt(3.0) / 2.0
        height, width = view.depth_hw.shape
        rows = np.nonzero(depth_n > radius)[0]
        pixels_n2 = projected_n3[rows, :2] / depth_n[rows, None]
        focal_px = float(np.abs(matrix_34[:2, :3]).max())
        radius_px = radius * focal_px / (depth_n[rows] - 0.5 * radius)
        near_n = np.all(
            (pixels_n2 > -radius_px[:, None]) & (pixels_n2 < [width, height] + radius_px[:, None]),
            axis=1,
        )
        rows, pixels_n2, radius_px = rows[near_n], pixels_n2[near_n], radius_px[near_n]
        farthest_n = _farthest_nearby(view.depth_hw, pixels_n2)
        farthest_n[radius_px > TILE_PX] = view.depth_hw.max()
        reach = FADE_REACH * self.truncation
        return np.asarray(rows[(farthest_n > 0) & (depth_n[rows] - radius < farthest_n + reach)])

    def _add(
        self, rows: NDArray[np.int64], view: SurfaceView, maps_hw4: Array, carving: float
    ) -> None:
        pixel_from_voxel = view.pixel_from_world * self.voxel_size
        # Not as one product of matrices: its last bits would depend on how many blocks there are.
        x_n1, y_n1, z_n1 = np.hsplit(self.keys_n3[rows] * float(BLOCK_VOXELS), 3)
        corner_n3 = x_n1 * pixel_from_voxel[:, 0] + y_n1 * pixel_from_voxel[:, 1]
        corner_n3 += z_n1 * pixel_from_voxel[:, 2]
        corner_n3 = (corner_n3 + view.pixel_from_world[:, 3]).astype(np.float32)
        offset_v3 = (voxel_offsets() @ pixel_from_voxel[:, :3].T).astype(np.float32)
        add_view(
            rows,
            corner_n3,
            offset_v3,
            maps_hw4,
            view.filled_depth_hw,
            np.float32(self.truncation),
            np.float32(carving),
            np.float32(1.0 - NOISE_DEVIATIONS * view.depth_noise),
            (self.distance_sum, self.weight_sum, self.evidence, self.seen_through),
            self.views,
        )

    def surface_voxels(self, rows: NDArray[np.int64], options: VolumeOptions) -> NDArray[np.bool_]:
        """Voxels (m, 512) of blocks near a surface that enough views and confidence support.

        What should be behind a surface, but views see through it to something trusted, is none;
        before a true surface, rays that graze it pass.
        """
        evidence = self.evidence[rows]
        behind = self.distance_sum[rows] < 0
        return np.asarray(
            (self.views[rows] >= options.min_views)
            & (evidence >= options.min_evidence)
            & ~(behind & (self.seen_through[rows] > options.see_through * evidence))
            & (self.weight_sum[rows] > 0)
        )


def _farthest_nearby(depth_hw: Array, pixels_n2: NDArray[np.float64]) -> NDArray[np.float64]:
    """Largest depth within at least `TILE_PX` of each pixel; 0 where there is none."""
    height, width = depth_hw.shape
    rows, columns = -(-height // TILE_PX), -(-width // TILE_PX)
    padded = np.zeros((rows * TILE_PX, columns * TILE_PX), np.float32)
    padded[:height, :width] = depth_hw
    tiles = padded.reshape(rows, TILE_PX, columns, TILE_PX).max(axis=(1, 3))
    tiles = cv2.dilate(tiles, np.ones((3, 3)))
    at_n2 = np.clip((pixels_n2 / TILE_PX).astype(int), 0, [columns - 1, rows - 1])
    return np.asarray(tiles[at_n2[:, 1], at_n2[:, 0]], dtype=np.float64)
