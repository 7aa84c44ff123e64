"""Clean-up of a triangle mesh: floating pieces, small holes, the face budget, normals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mvrecon.formats.mesh import Mesh, PointCloud

Vertices = NDArray[np.float32]
Faces = NDArray[np.int32]

# Of collapsing edges: the error that is allowed grows from the first, in squares of a voxel.
ERROR_AT_FIRST = 1e-9
COLLAPSING_ROUNDS = 60


@dataclass(frozen=True)
class Triangles:
    """A surface without colours.

    Attributes:
        vertices_n3: world coordinates.
        faces_m3: vertex indices, counter-clockwise seen from free space.
        normals_n3: unit normals of the vertices, towards free space.
    """

    vertices_n3: Vertices
    faces_m3: Faces
    normals_n3: Vertices

    @classmethod
    def with_normals(cls, vertices_n3: Vertices, faces_m3: Faces) -> Triangles:
        """Normals from the faces."""
        return cls(vertices_n3, faces_m3, vertex_normals(vertices_n3, faces_m3))

    def as_mesh(self) -> Mesh:
        """The same in black, of no confidence."""
        count = len(self.vertices_n3)
        black_n3 = np.zeros((count, 3), np.uint8)
        points = PointCloud(
            self.vertices_n3, self.normals_n3, black_n3, np.zeros(count, np.float32)
        )
        return Mesh(points, self.faces_m3)


def weld(parts: Sequence[tuple[Vertices, Faces]]) -> tuple[Vertices, Faces]:
    """One surface of several: vertices at the very same place become one, sorted by position."""
    vertices_n3 = np.concatenate([vertices for vertices, _ in parts])
    firsts = np.cumsum([0, *(len(vertices) for vertices, _ in parts)])
    faces = [faces_m3 + first for (_, faces_m3), first in zip(parts, firsts, strict=False)]
    vertices_n3, place_n = np.unique(vertices_n3, axis=0, return_inverse=True)
    faces_m3 = place_n.reshape(-1)[np.concatenate(faces)].astype(np.int32)
    a, b, c = faces_m3.T
    return vertices_n3, faces_m3[(a != b) & (b != c) & (c != a)]


def component_labels(faces_m3: Faces, vertex_count: int) -> NDArray[np.int64]:
    """Label (n,) of each vertex: the smallest vertex index in its connected piece.

    Smaller labels travel along edges while pointers are shortened (Shiloach and Vishkin 1982).
    """
    edges_k2 = np.concatenate([faces_m3[:, :2], faces_m3[:, 1:]]).astype(np.int64)
    labels_n = np.arange(vertex_count, dtype=np.int64)
    while len(edges_k2):
        first, second = labels_n[edges_k2[:, 0]], labels_n[edges_k2[:, 1]]
        apart = first != second
        edges_k2, first, second = edges_k2[apart], first[apart], second[apart]
        np.minimum.at(labels_n, np.maximum(first, second), np.minimum(first, second))
        while True:
            shorter_n = labels_n[labels_n]
            if np.array_equal(shorter_n, labels_n):
                break
            labels_n = shorter_n
    return labels_n


def triangle_areas(vertices_n3: Vertices, faces_m3: Faces) -> NDArray[np.float64]:
    """Area (m,) of each triangle."""
    return np.asarray(0.5 * np.linalg.norm(_face_normals(vertices_n3, faces_m3), axis=1))


def large_pieces(
    vertices_n3: Vertices, faces_m3: Faces, min_fraction: float
) -> tuple[NDArray[np.bool_], int, int]:
    """Faces of the connected pieces whose area is at least a fraction of the largest one's.

    Returns:
        Mask (m,) of the faces to keep, number of pieces kept, number removed.
    """
    labels_m = component_labels(faces_m3, len(vertices_n3))[faces_m3[:, 0]]
    pieces, piece_m = np.unique(labels_m, return_inverse=True)
    areas = np.bincount(piece_m, weights=triangle_areas(vertices_n3, faces_m3))
    keep = areas >= min_fraction * areas.max()
    return keep[piece_m], int(keep.sum()), int(len(pieces) - keep.sum())


def drop_unused(vertex_count: int, faces_m3: Faces) -> tuple[NDArray[np.int64], Faces]:
    """Indices of the vertices that faces use, and the faces renumbered to them."""
    used_n = np.zeros(vertex_count, bool)
    used_n[faces_m3] = True
    new_index_n = np.cumsum(used_n) - 1
    return np.nonzero(used_n)[0], new_index_n[faces_m3].astype(np.int32)


def fill_small_holes(vertices_n3: Vertices, faces_m3: Faces, diameter: float) -> Faces:
    """Faces with the holes closed that fit into a sphere of this diameter (VTK's filter)."""
    import open3d as o3d

    mesh = o3d.t.geometry.TriangleMesh(
        o3d.core.Tensor.from_numpy(np.ascontiguousarray(vertices_n3)),
        o3d.core.Tensor.from_numpy(np.ascontiguousarray(faces_m3)),
    )
    filled = mesh.fill_holes(diameter / 2.0)
    return np.asarray(filled.triangle.indices.numpy(), np.int32)


def reduce_inside(
    vertices_n3: Vertices, faces_m3: Faces, wanted: int, voxel_size: float
) -> tuple[Vertices, Faces]:
    """About `wanted` faces, with all vertices at open borders as they are, to the bit.

    By quadric error (Garland and Heckbert, SIGGRAPH 1997), without an order of the edges:
    what may be lost grows until enough is lost.

    Args:
        vertices_n3: of a surface.
        faces_m3: of it.
        wanted: number of faces; there are more where borders need them.
        voxel_size: the unit in which the error that is allowed grows, world units.
    """
    if len(faces_m3) <= wanted:
        return vertices_n3, faces_m3
    import pyfqmr

    mesh = pyfqmr.Simplify()
    mesh.setMesh(vertices_n3, faces_m3)
    mesh.simplify_mesh(
        target_count=wanted,
        alpha=ERROR_AT_FIRST * voxel_size**2,
        preserve_border=True,
        max_iterations=COLLAPSING_ROUNDS,
        verbose=False,
    )
    vertices, faces, _ = mesh.getMesh()
    return vertices.astype(np.float32), faces.astype(np.int32)


def simplify(vertices_n3: Vertices, faces_m3: Faces, max_faces: int) -> tuple[Vertices, Faces]:
    """At most `max_faces` faces by the same error, borders simplified too."""
    if len(faces_m3) <= max_faces:
        return vertices_n3, faces_m3
    import open3d as o3d

    mesh = o3d.geometry.TriangleMesh(
        o3d.utility.Vector3dVector(vertices_n3.astype(np.float64)),
        o3d.utility.Vector3iVector(faces_m3),
    ).simplify_quadric_decimation(max_faces)
    mesh.remove_degenerate_triangles()
    mesh.remove_duplicated_triangles()
    mesh.remove_unreferenced_vertices()
    return (
        np.asarray(mesh.vertices).astype(np.float32),
        np.asarray(mesh.triangles).astype(np.int32),
    )


def vertex_normals(vertices_n3: Vertices, faces_m3: Faces) -> Vertices:
    """Unit normals (n, 3): the mean of the adjacent faces', weighted by area.

    A vertex of faces without area gets the z axis.
    """
    face_normals_m3 = _face_normals(vertices_n3, faces_m3)
    sums_n3 = np.stack(
        [
            np.bincount(
                faces_m3.ravel(),
                weights=np.repeat(face_normals_m3[:, axis], 3),
                minlength=len(vertices_n3),
            )
            for axis in range(3)
        ],
        axis=1,
    )
    lengths_n1 = np.linalg.norm(sums_n3, axis=1, keepdims=True)
    unit_n3 = np.where(lengths_n1 > 0, sums_n3 / np.maximum(lengths_n1, 1e-300), [0.0, 0.0, 1.0])
    return unit_n3.astype(np.float32)


def _face_normals(vertices_n3: Vertices, faces_m3: Faces) -> NDArray[np.float64]:
    """Normals (m, 3) of twice the triangle's area in length."""
    a, b, c = (vertices_n3[faces_m3[:, corner]].astype(np.float64) for corner in range(3))
    return np.cross(b - a, c - a)
