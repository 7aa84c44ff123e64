"""Surfaces that enclose as much as they ought to."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from stages.volume.mesh.pieces import Surfaces

Vertices = NDArray[np.float32]
Faces = NDArray[np.int32]
Volumes = NDArray[np.float64]

# Steps towards a volume; so many bring a lone voxel, of which smoothing leaves nothing, to 0.1 %.
OFFSETS = 8
# Of a volume: nearer needs no more steps.
CLOSE = 1e-4
PROBE = 0.02  # of the grid: an offset small enough for the area's change with it to be a line


def voxel_volumes(vertices_n3: Vertices, faces_m3: Faces) -> Volumes:
    """Of each surface of a field of two values: the number of voxels in it, less in a cavity.

    Each vertex lies half-way between a voxel inside and one outside, on the square that parts them.
    These squares enclose the voxels, and Gauss's theorem gives their volume.

    Args:
        vertices_n3: as marching cubes gave them, in voxels, centres at integers.
        faces_m3: of closed surfaces.
    """
    surfaces = Surfaces.of(vertices_n3, faces_m3)
    normals_n3 = vertex_normals(vertices_n3, faces_m3)
    across_n3 = vertices_n3 != np.round(vertices_n3)
    signed_n = (np.sign(normals_n3) * vertices_n3 * across_n3).sum(axis=1, dtype=np.float64) / 3
    count = len(surfaces.volume_s)
    return np.bincount(surfaces.of_vertex(faces_m3), signed_n, count).astype(np.float64)


def curved_volumes(vertices_n3: Vertices, faces_m3: Faces, loss: float, step: int) -> Volumes:
    """Of each surface: what it enclosed before voxels and flat triangles cut across its curvature.

    A surface that is found in means over voxels, by flat triangles, lies inside of a convex one: by
    a length that grows with the sum of its principal curvatures. Their integral is the change of
    the area with an offset (Steiner), in which the roughness of noise cancels out.

    Args:
        vertices_n3: in voxels.
        faces_m3: of closed surfaces.
        loss: that length, in steps of the grid, for a sum of curvatures of one.
        step: of the grid that the surface was found on, in voxels.
    """
    normals_n3 = vertex_normals(vertices_n3, faces_m3)
    probe = np.float32(PROBE * step)
    outer_s, inner_s = (
        Surfaces.of(vertices_n3 + sign * probe * normals_n3, faces_m3).area_s for sign in (1, -1)
    )
    curvature_s = (outer_s - inner_s) / (2 * probe)
    return Surfaces.of(vertices_n3, faces_m3).volume_s + loss * step**2 * curvature_s


def with_volumes(
    vertices_n3: Vertices, faces_m3: Faces, wanted_s: Volumes, low_n3: Vertices, high_n3: Vertices
) -> Vertices:
    """Vertices moved along their normals, each surface's as far as its volume asks for.

    Args:
        vertices_n3: of closed surfaces.
        faces_m3: of them.
        wanted_s: volume of each, in the order of `Surfaces`; below zero for cavities.
        low_n3: what no vertex falls below, coordinate by coordinate.
        high_n3: what none exceeds.
    """
    for _ in range(OFFSETS):
        surfaces = Surfaces.of(vertices_n3, faces_m3)
        if np.all(np.abs(surfaces.volume_s - wanted_s) <= CLOSE * np.abs(wanted_s)):
            break
        offset_s = (wanted_s - surfaces.volume_s) / np.maximum(surfaces.area_s, 1e-9)
        offset_n = offset_s[surfaces.of_vertex(faces_m3)].astype(np.float32)
        vertices_n3 = vertices_n3 + offset_n[:, None] * vertex_normals(vertices_n3, faces_m3)
        vertices_n3 = np.clip(vertices_n3, low_n3, high_n3)
    return vertices_n3


def vertex_normals(vertices_n3: Vertices, faces_m3: Faces) -> Vertices:
    """Unit normals, of the mean of the faces around by their area; none where these cancel out."""
    count = len(vertices_n3)
    first, second, third = (vertices_n3[corner] for corner in faces_m3.T)
    faces_normals_m3 = np.cross(second - first, third - first)
    rows, columns = faces_m3.ravel(), np.repeat(np.arange(len(faces_m3)), 3)
    ones = np.ones(len(rows), np.float32)
    around = sparse.csr_array((ones, (rows, columns)), shape=(count, len(faces_m3)))
    normals_n3 = around @ faces_normals_m3
    lengths_n = np.linalg.norm(normals_n3, axis=1, keepdims=True)
    return np.asarray(normals_n3 / np.maximum(lengths_n, 1e-12), np.float32)
