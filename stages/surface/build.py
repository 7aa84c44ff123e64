"""The surface from the depth maps, brick by brick, each as fine as its views deserve."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stages.surface.blocks import Keys, Scale
from stages.surface.bricks import (
    GIB,
    Brick,
    batches,
    blocks_of,
    nearest_sights,
    split_into_bricks,
)
from stages.surface.clean import reduce_inside, triangle_areas, vertex_normals
from stages.surface.config import SurfaceConfig
from stages.surface.extract import extract_triangles, vertex_confidence
from stages.surface.views import DepthLoader, Sight, make_view
from stages.surface.volume import NOISE_DEVIATIONS, Volume

# Memory for voxels where none is given: a share of the machine's, within bounds.
MEMORY_SHARE = 1 / 8
MEMORY_GIB = (0.25, 1.0)
# Of its share of the faces and points, what a brick may use: others use less, as they are plain.
BRICK_SLACK = 2.0

Array = NDArray[np.float32]
ViewTracker = Callable[[Sequence[str]], Iterable[str]]


@dataclass(frozen=True)
class Part:
    """The surface in one brick.

    Attributes:
        vertices_n3, faces_m3: simplified but for the border.
        confidence_n: of the vertices, 0…1.
        finest: edge of the voxels that its nearest view deserves, world units.
        cloud_k3, cloud_normals_k3, cloud_confidence_k: points on the surface as it was before.
    """

    vertices_n3: Array
    faces_m3: NDArray[np.int32]
    confidence_n: Array
    finest: float
    cloud_k3: Array
    cloud_normals_k3: Array
    cloud_confidence_k: Array


@dataclass(frozen=True)
class Builder:
    """What all bricks have in common.

    Attributes:
        config: the stage's options.
        scale: sizes that follow from the depth maps.
        voxel_size: world units.
        load_depth: depth map by name.
        pool: threads; their number does not change the result.
    """

    config: SurfaceConfig
    scale: Scale
    voxel_size: float
    load_depth: DepthLoader
    pool: ThreadPoolExecutor

    @property
    def truncation(self) -> float:
        """Reach of a depth pixel before and behind its surface, world units."""
        noise = NOISE_DEVIATIONS * self.scale.depth_noise * self.scale.reference_depth
        return max(self.config.volume.truncation * self.voxel_size, noise)

    def parts(self, keys_n3: Keys, sights: Sequence[Sight], track: ViewTracker) -> Iterator[Part]:
        """The surface, brick by brick.

        Args:
            keys_n3: all blocks, sorted.
            sights: of all views, in their order.
            track: wraps the names of the views that a batch of bricks is made of.
        """
        bricks = split_into_bricks(keys_n3, self.voxel_size)
        nearest_b = iter(nearest_sights(bricks, sights))
        for batch in batches(bricks, memory_bytes(self.config.volume.memory)):
            volume = self._integrated(batch, sights, track)
            for brick in batch:
                finest = self.scale.voxel_size(self.config.volume.resolution, next(nearest_b))
                share = BRICK_SLACK * len(brick.owned_n3) / len(keys_n3)
                if part := self._part(volume, brick, max(self.voxel_size, finest), share):
                    yield part

    def _integrated(
        self, batch: Sequence[Brick], sights: Sequence[Sight], track: ViewTracker
    ) -> Volume:
        """The bricks' voxels with the depth maps that may see them, one in memory at a time."""
        volume = Volume.empty(blocks_of(batch), self.voxel_size, self.truncation)
        centers_b3 = np.stack([brick.center_3 for brick in batch])
        names = [sight.name for sight in sights if sight.may_see(centers_b3, batch[0].radius).any()]
        options = self.config.depth
        for name in track(names):
            view = make_view(
                self.load_depth(name),
                options.min_confidence,
                self.scale.reference_depth,
                options.trim,
                self.scale.depth_noise,
            )
            volume.integrate(view, self.config.volume.carving, self.pool)
        return volume

    def _part(self, volume: Volume, brick: Brick, finest: float, share: float) -> Part | None:
        """One brick's surface, None if it has none.

        Args:
            volume: holds its blocks.
            brick: which.
            finest: edge of the voxels that its nearest view deserves, world units.
            share: of the faces and points that it may use.
        """
        dense_n3, faces_m3 = extract_triangles(
            volume, brick.owned_n3, brick.border_n3, self.config.volume
        )
        if len(faces_m3) == 0:
            return None
        squares = float(triangle_areas(dense_n3, faces_m3).sum()) / finest**2
        mesh, cloud = self.config.mesh, self.config.cloud
        points = min(squares * cloud.point_density, share * cloud.max_points)
        rows = evenly(len(dense_n3), round(points))
        normals_n3 = vertex_normals(dense_n3, faces_m3)[rows]
        faces = min(squares * mesh.face_density, share * mesh.max_faces)
        vertices_n3, faces_m3 = reduce_inside(dense_n3, faces_m3, round(faces), finest)
        return Part(
            vertices_n3,
            faces_m3,
            vertex_confidence(volume, vertices_n3),
            finest,
            dense_n3[rows],
            normals_n3,
            vertex_confidence(volume, dense_n3[rows]),
        )


def evenly(count: int, wanted: int) -> NDArray[np.int64]:
    """Rows of vertices, which are sorted by position, so that an even choice is even in space."""
    chosen = max(1, min(count, wanted))
    return np.linspace(0, count - 1, chosen).round().astype(np.int64)


def memory_bytes(wanted_gib: float) -> float:
    """Memory for voxels: what is wanted, or a share of the machine's if that is 0."""
    if wanted_gib > 0:
        return wanted_gib * GIB
    machine_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / GIB
    return float(np.clip(MEMORY_SHARE * machine_gib, *MEMORY_GIB)) * GIB
