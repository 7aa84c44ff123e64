"""Connected pieces of a closed surface: which there are, and what they measure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse import csgraph

from mvrecon.artifacts.volume import Piece

Vertices = NDArray[np.float32]
Faces = NDArray[np.int32]

CHUNK_FACES = 1 << 20
# Of a cavity's size: a ray starts this far from it, as it must not meet it at once.
CLEARANCE = 1e-3


@dataclass(frozen=True)
class Surfaces:
    """Connected closed surfaces.

    Attributes:
        of_face_m: which one a face belongs to.
        volume_s: that each encloses; below zero if it is the wall of a cavity.
        area_s: of each.
    """

    of_face_m: NDArray[np.int32]
    volume_s: NDArray[np.float64]
    area_s: NDArray[np.float64]

    @classmethod
    def of(cls, vertices_n3: Vertices, faces_m3: Faces) -> Surfaces:
        """Find and measure them."""
        count = len(vertices_n3)
        edges = faces_m3[:, :2].ravel(), faces_m3[:, 1:].ravel()
        graph = sparse.csr_array((np.ones(len(edges[0]), np.int8), edges), shape=(count, count))
        number, of_vertex_n = csgraph.connected_components(graph, directed=False)
        of_face_m = of_vertex_n[faces_m3[:, 0]]
        volume_s, area_s = np.zeros(number), np.zeros(number)
        center_3 = vertices_n3.mean(axis=0, dtype=np.float64) if count else 0.0
        for start in range(0, len(faces_m3), CHUNK_FACES):
            chunk = slice(start, start + CHUNK_FACES)
            corners = vertices_n3[faces_m3[chunk]].astype(np.float64) - center_3
            normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
            sixth = np.einsum("ij,ij->i", corners[:, 0], normals) / 6
            volume_s += np.bincount(of_face_m[chunk], sixth, number)
            area_s += np.bincount(of_face_m[chunk], np.linalg.norm(normals, axis=1) / 2, number)
        return cls(of_face_m, volume_s, area_s)

    def of_vertex(self, faces_m3: Faces) -> NDArray[np.int32]:
        """Which one a vertex belongs to."""
        of_vertex_n = np.zeros(int(faces_m3.max()) + 1, np.int32)
        of_vertex_n[faces_m3] = self.of_face_m[:, None]
        return of_vertex_n


def without_small(
    vertices_n3: Vertices, faces_m3: Faces, min_fraction: float
) -> tuple[Vertices, Faces, int]:
    """Drop surfaces that enclose less than a fraction of what the largest one does.

    Returns:
        Vertices, faces, and the number of surfaces dropped.
    """
    surfaces = Surfaces.of(vertices_n3, faces_m3)
    sizes_s = np.abs(surfaces.volume_s)
    keep_s = sizes_s >= min_fraction * sizes_s.max()
    kept_m3 = faces_m3[keep_s[surfaces.of_face_m]]
    used_n = np.zeros(len(vertices_n3), bool)
    used_n[kept_m3] = True
    renumbered_n = (np.cumsum(used_n) - 1).astype(np.int32)
    return vertices_n3[used_n], renumbered_n[kept_m3], int(np.sum(~keep_s))


def measure_pieces(
    part: str, vertices_n3: Vertices, faces_m3: Faces, cut_n: NDArray[np.bool_]
) -> list[Piece]:
    """The pieces of a part, the largest first.

    Args:
        part: its name.
        vertices_n3: millimetres.
        faces_m3: counter-clockwise seen from outside.
        cut_n: which vertices lie on the edge of the volume.
    """
    surfaces = Surfaces.of(vertices_n3, faces_m3)
    owner_s = _owners(vertices_n3, faces_m3, surfaces)
    owner_m = owner_s[surfaces.of_face_m]
    pieces = []
    for owner in np.unique(owner_s):
        own = owner_s == owner
        faces = faces_m3[owner_m == owner]
        xyz = vertices_n3[faces.ravel()]
        low, high = xyz.min(axis=0).tolist(), xyz.max(axis=0).tolist()
        pieces.append(
            Piece(
                part=part,
                volume_mm3=float(surfaces.volume_s[own].sum()),
                area_mm2=float(surfaces.area_s[own].sum()),
                cavities=int(own.sum()) - 1,
                low_3=(low[0], low[1], low[2]),
                high_3=(high[0], high[1], high[2]),
                cut=bool(cut_n[faces].any()),
                faces=len(faces),
            )
        )
    return sorted(pieces, key=lambda piece: -piece.volume_mm3)


def _owners(vertices_n3: Vertices, faces_m3: Faces, surfaces: Surfaces) -> NDArray[np.int64]:
    """For each surface the outer one that it belongs to: itself, or what a cavity lies in.

    From the point of a cavity farthest along x, the first other surface met in that direction is
    the outer one, or the wall of another cavity in the same piece.
    """
    owner_s = np.arange(len(surfaces.volume_s))
    cavities = np.flatnonzero(surfaces.volume_s < 0)
    if len(cavities) == 0:
        return owner_s
    import open3d as o3d

    scene = o3d.t.geometry.RaycastingScene()
    scene.add_triangles(
        o3d.core.Tensor.from_numpy(np.ascontiguousarray(vertices_n3, np.float32)),
        o3d.core.Tensor.from_numpy(np.ascontiguousarray(faces_m3, np.uint32)),
    )
    rays = np.zeros((len(cavities), 6), np.float32)
    rays[:, 3] = 1.0
    for ray, cavity in zip(rays, cavities, strict=True):
        xyz = vertices_n3[faces_m3[surfaces.of_face_m == cavity].ravel()]
        ray[:3] = xyz[np.argmax(xyz[:, 0])]
        ray[0] += CLEARANCE * float(np.ptp(xyz, axis=0).max())
    met = scene.cast_rays(o3d.core.Tensor.from_numpy(rays))["primitive_ids"].numpy()
    nearest = {
        int(cavity): int(surfaces.of_face_m[face])
        for cavity, face in zip(cavities, met, strict=True)
        if face < len(faces_m3)
    }
    for cavity in cavities:
        owner, steps = int(cavity), 0
        while owner in nearest and steps <= len(cavities):
            owner, steps = nearest[owner], steps + 1
        owner_s[cavity] = owner
    return owner_s
