"""The bricks' surfaces joined to one: pieces, holes, size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from mvrecon.geometry.raycasting import TriangleScene
from stages.surface.build import Part, evenly
from stages.surface.clean import (
    Triangles,
    drop_unused,
    fill_small_holes,
    large_pieces,
    simplify,
    weld,
)
from stages.surface.config import SurfaceConfig

Array = NDArray[np.float32]

# A point of the cloud farther from the mesh belonged to a piece that was removed.
OFF_SURFACE_VOXELS = 3.0


@dataclass(frozen=True)
class Assembled:
    """The whole surface, without colours.

    Attributes:
        surface: the mesh.
        confidence_n: of its vertices, 0…1.
        cloud_k3, cloud_normals_k3, cloud_confidence_k: points on it.
        pieces_kept, pieces_removed: numbers of connected pieces.
    """

    surface: Triangles
    confidence_n: Array
    cloud_k3: Array
    cloud_normals_k3: Array
    cloud_confidence_k: Array
    pieces_kept: int
    pieces_removed: int


def assemble(parts: Sequence[Part], config: SurfaceConfig, voxel_size: float) -> Assembled:
    """Join, remove floating pieces, close small holes, keep the face budget.

    Args:
        parts: at least one.
        config: the stage's options.
        voxel_size: world units.
    """
    options = config.mesh
    vertices_n3, faces_m3 = weld([(part.vertices_n3, part.faces_m3) for part in parts])
    keep_m, kept, removed = large_pieces(vertices_n3, faces_m3, options.min_piece)
    used, faces_m3 = drop_unused(len(vertices_n3), faces_m3[keep_m])
    vertices_n3 = vertices_n3[used]
    if options.fill_holes > 0:
        faces_m3 = fill_small_holes(vertices_n3, faces_m3, options.fill_holes * voxel_size)
    vertices_n3, faces_m3 = simplify(vertices_n3, faces_m3, options.max_faces)
    known = cKDTree(np.concatenate([part.vertices_n3 for part in parts]))
    _, nearest_n = known.query(vertices_n3)
    cloud = _cloud(parts, TriangleScene(vertices_n3, faces_m3), config.cloud.max_points)
    return Assembled(
        surface=Triangles.with_normals(vertices_n3, faces_m3),
        confidence_n=np.concatenate([part.confidence_n for part in parts])[nearest_n],
        cloud_k3=cloud[0],
        cloud_normals_k3=cloud[1],
        cloud_confidence_k=cloud[2],
        pieces_kept=kept,
        pieces_removed=removed,
    )


def _cloud(
    parts: Sequence[Part], mesh: TriangleScene, max_points: int
) -> tuple[Array, Array, Array]:
    """Points, normals and confidence, without those that were on what is no more in the mesh."""
    points_k3 = np.concatenate([part.cloud_k3 for part in parts])
    reach_k = np.concatenate([np.full(len(part.cloud_k3), part.finest) for part in parts])
    rows = np.nonzero(mesh.distance(points_k3) < OFF_SURFACE_VOXELS * reach_k)[0]
    rows = rows[evenly(len(rows), max_points)]
    return (
        points_k3[rows],
        np.concatenate([part.cloud_normals_k3 for part in parts])[rows],
        np.concatenate([part.cloud_confidence_k for part in parts])[rows],
    )
