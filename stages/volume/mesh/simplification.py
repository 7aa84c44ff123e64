"""Fewer triangles."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Vertices = NDArray[np.float32]
Faces = NDArray[np.int32]


def simplified(vertices_n3: Vertices, faces_m3: Faces, max_faces: int) -> tuple[Vertices, Faces]:
    """At most `max_faces` faces by quadric error (Garland and Heckbert, SIGGRAPH 1997).

    A result that is not closed any more is not taken: then the surface stays as it was.
    """
    if len(faces_m3) <= max_faces:
        return vertices_n3, faces_m3
    import open3d as o3d

    full = o3d.geometry.TriangleMesh(
        o3d.utility.Vector3dVector(vertices_n3.astype(np.float64)),
        o3d.utility.Vector3iVector(faces_m3),
    )
    small = full.simplify_quadric_decimation(max_faces)
    small.remove_unreferenced_vertices()
    fewer_m3 = np.asarray(small.triangles).astype(np.int32)
    if not is_closed(fewer_m3):
        return vertices_n3, faces_m3
    return np.asarray(small.vertices).astype(np.float32), fewer_m3


def is_closed(faces_m3: Faces) -> bool:
    """Whether each edge has exactly two triangles, which go along it in opposite directions."""
    wide_m3 = faces_m3.astype(np.int64)  # products of two indices do not fit 32 bits
    starts, ends = wide_m3.T.ravel(), wide_m3[:, [1, 2, 0]].T.ravel()
    count = int(faces_m3.max()) + 1 if len(faces_m3) else 0
    there, back = np.sort(starts * count + ends), np.sort(ends * count + starts)
    return bool(np.all(np.diff(there) > 0) and np.array_equal(there, back))
