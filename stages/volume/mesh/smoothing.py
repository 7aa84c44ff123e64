"""Smoothing that neither shrinks nor strays."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

Vertices = NDArray[np.float32]
Faces = NDArray[np.int32]

# Taubin's own pair (SIGGRAPH 1995): a step inwards, then one outwards, so that nothing shrinks.
INWARDS, OUTWARDS = 0.5, -0.53


def smoothed(
    vertices_n3: Vertices, faces_m3: Faces, passes: int, low_n3: Vertices, high_n3: Vertices
) -> Vertices:
    """Vertices after passes of Taubin's smoothing.

    With bounds of half a voxel thin things stay, as they do with surface nets (Gibson 1998).

    Args:
        vertices_n3: in voxels.
        faces_m3: of a closed surface.
        passes: pairs of steps.
        low_n3: what no vertex falls below, coordinate by coordinate.
        high_n3: what none exceeds.
    """
    neighbours = _mean_of_neighbours(len(vertices_n3), faces_m3)
    moved_n3 = vertices_n3.copy()
    for _ in range(passes):
        for weight in (INWARDS, OUTWARDS):
            moved_n3 += np.float32(weight) * (neighbours @ moved_n3 - moved_n3)
        np.clip(moved_n3, low_n3, high_n3, out=moved_n3)
    return moved_n3


def _mean_of_neighbours(count: int, faces_m3: Faces) -> sparse.csr_array:
    # A closed surface has each edge once in each direction.
    starts, ends = faces_m3.T.ravel(), faces_m3[:, [1, 2, 0]].T.ravel()
    degree_n = np.bincount(starts, minlength=count)
    weights = (1.0 / np.maximum(degree_n, 1)).astype(np.float32)[starts]
    return sparse.csr_array((weights, (starts, ends)), shape=(count, count))
