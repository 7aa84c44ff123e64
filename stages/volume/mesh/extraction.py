"""Marching cubes, slab by slab, joined without a seam."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mvrecon.formats.volumes.source import optional_module
from stages.volume.mesh.levels import LevelField

Vertices = NDArray[np.float32]
Faces = NDArray[np.int32]

SLAB_VOXELS = 8 << 20  # of the field at once: 32 MiB


def extract(field: LevelField) -> tuple[Vertices, Faces]:
    """The closed surface at zero (Lorensen and Cline 1987, scikit-image's tables).

    Those tables join ambiguous sides of a cube alike from both sides, so that no gap is left; each
    edge has two triangles.

    Returns:
        Vertices (n, 3) as (column, row, slice) of the volume, and faces (m, 3), counter-clockwise
        seen from outside in these axes if they were right-handed.
    """
    (low, high), *_ = field.box_kji
    planes = low - 1, high + 1  # with the rim
    area = np.prod([last - first + 2 for first, last in field.box_kji[1:]])
    thickness = max(2, int(SLAB_VOXELS // area))
    joined = Joined()
    for start in range(planes[0], planes[1] - 1, thickness):
        stop = min(start + thickness + 1, planes[1])
        joined.add(field.with_rim(start, stop), start - planes[0], stop - start - 1)
    vertices_kji, faces_m3 = joined.result()
    inner_n3 = (vertices_kji + field.rim_origin_kji) * field.step + (field.step - 1) / 2
    return np.ascontiguousarray(inner_n3[:, ::-1], np.float32), faces_m3


class Joined:
    """Surfaces of slabs that share a plane with the next."""

    def __init__(self) -> None:
        self._vertices: list[Vertices] = []
        self._faces: list[Faces] = []
        self._count = 0
        self._seam_keys: NDArray[np.complex128] = np.empty(0, np.complex128)
        self._seam_rows: NDArray[np.int64] = np.empty(0, np.int64)

    def add(self, slab_kji: NDArray[np.float32], first_plane: int, last: int) -> None:
        """Add the surface in a slab.

        Args:
            slab_kji: the field.
            first_plane: where the slab begins; there it joins the one before.
            last: its last plane, which the next begins with.
        """
        vertices_n3, faces_m3 = _marching_cubes(slab_kji)
        height_n = vertices_n3[:, 0]
        # In a shared plane, both slabs have the same vertices to the last bit.
        keys_n = vertices_n3[:, 1] + 1j * vertices_n3[:, 2]
        rows_n = np.full(len(vertices_n3), -1, np.int64)
        lower = np.flatnonzero(height_n == 0)
        if len(self._seam_keys) and len(lower):
            places = np.searchsorted(self._seam_keys, keys_n[lower])
            places = np.minimum(places, len(self._seam_keys) - 1)
            there = self._seam_keys[places] == keys_n[lower]
            rows_n[lower[there]] = self._seam_rows[places[there]]
        new = np.flatnonzero(rows_n < 0)
        rows_n[new] = self._count + np.arange(len(new))
        self._count += len(new)
        moved_n3 = vertices_n3[new]
        moved_n3[:, 0] += first_plane
        self._vertices.append(moved_n3)
        self._faces.append(rows_n[faces_m3].astype(np.int32))
        upper = np.flatnonzero(height_n == last)
        upper = upper[np.argsort(keys_n[upper])]
        self._seam_keys, self._seam_rows = keys_n[upper], rows_n[upper]

    def result(self) -> tuple[Vertices, Faces]:
        """All vertices (k, j, i) and faces."""
        return np.concatenate(self._vertices), np.concatenate(self._faces)


def _marching_cubes(slab_kji: NDArray[np.float32]) -> tuple[Vertices, Faces]:
    if not slab_kji.min() < 0 < slab_kji.max():
        return np.empty((0, 3), np.float32), np.empty((0, 3), np.int32)
    measure = optional_module("skimage.measure", "scikit-image")
    vertices_n3, faces_m3, *_ = measure.marching_cubes(slab_kji, 0.0, method="lorensen")
    return vertices_n3, faces_m3
