"""Cuts a surface into charts: connected parts that lie in one plane without folding over.

Faces take one of a few directions that the surface faces, smoothed over neighbours; what is
connected and of one direction is a chart, projected along it. Parts hidden behind others of the
same chart are peeled off into charts of their own, as in depth peeling (Everitt 2001).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from mvrecon.geometry.raycasting import TriangleScene

FloatArray = NDArray[np.float64]
Labels = NDArray[np.int64]

MEANS_ROUNDS = 6  # of the search for the directions that the surface faces
SMOOTHING_ROUNDS = 8
# Weight of a neighbour's direction against a face's own, by cosines: ragged borders cost texels.
NEIGHBOR_WEIGHT = 0.35
MIN_COSINE = 0.25  # of a face to its chart's direction: beyond, texels are stretched fourfold
SMALL_CHART = 24  # faces below which a chart is given to a neighbour, where that can take it
MERGE_ROUNDS = 3
PEEL_ROUNDS = 4
# Where a face is tested for lying on top: its centre and near its corners, as barycentric weights.
TEST_POINTS = np.array([[1, 1, 1], [8, 1, 1], [1, 8, 1], [1, 1, 8]]) / [[3], [10], [10], [10]]


@dataclass(frozen=True)
class Charts:
    """Faces laid out in planes, each chart in its own.

    Attributes:
        label_m: chart of each face, 0 … count − 1.
        uv_m32: position of each face's corners in its chart's plane, world units, from 0.
        size_c2: extent of each chart.
    """

    label_m: Labels
    uv_m32: FloatArray
    size_c2: FloatArray


def make_charts(vertices_n3: NDArray[np.float32], faces_m3: NDArray[np.int32]) -> Charts:
    """Charts of a surface; every face is in one."""
    corners_m33 = vertices_n3[faces_m3].astype(np.float64)
    normals_m3 = np.cross(
        corners_m33[:, 1] - corners_m33[:, 0], corners_m33[:, 2] - corners_m33[:, 0]
    )
    area_m = np.linalg.norm(normals_m3, axis=1)
    normals_m3 /= np.maximum(area_m, 1e-300)[:, None]
    edges_e2 = adjacent_faces(faces_m3)
    directions_k3 = _main_directions(normals_m3, area_m)
    facing_m = _smooth_directions(normals_m3 @ directions_k3.T, edges_e2)
    label_m = _merged(facing_m, normals_m3 @ directions_k3.T, edges_e2)
    uv_m32, height_m3 = _projected(corners_m33, directions_k3[label_m])
    label_m = _connected(label_m, edges_e2)
    for _ in range(PEEL_ROUNDS):
        hidden_m = _hidden(label_m, uv_m32, height_m3)
        if not hidden_m.any():
            break
        label_m = _connected(2 * label_m + hidden_m, edges_e2)
    return _laid_out(label_m, uv_m32)


def adjacent_faces(faces_m3: NDArray[np.int32]) -> NDArray[np.int64]:
    """Pairs (e, 2) of faces that share an edge."""
    count = int(faces_m3.max()) + 1
    sides = faces_m3.astype(np.int64)[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2)
    sides.sort(axis=1)
    code = sides[:, 0] * count + sides[:, 1]
    order = np.argsort(code, kind="stable")
    same = code[order[1:]] == code[order[:-1]]
    return np.stack([order[:-1][same] // 3, order[1:][same] // 3], axis=1)


def _main_directions(normals_m3: FloatArray, area_m: FloatArray) -> FloatArray:
    """Unit directions (k, 3) near which the surface's normals lie: spherical k-means by area."""
    corners = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], float)
    axes = np.concatenate([np.eye(3), -np.eye(3)])
    directions_k3 = np.concatenate([axes, corners / np.sqrt(3.0)])
    for _ in range(MEANS_ROUNDS):
        nearest_m = np.argmax(normals_m3 @ directions_k3.T, axis=1)
        sums_k3 = np.stack(
            [
                np.bincount(nearest_m, normals_m3[:, axis] * area_m, len(directions_k3))
                for axis in range(3)
            ],
            axis=1,
        )
        length_k1 = np.linalg.norm(sums_k3, axis=1, keepdims=True)
        directions_k3 = np.where(
            length_k1 > 0, sums_k3 / np.maximum(length_k1, 1e-300), directions_k3
        )
    return directions_k3


def _smooth_directions(cosine_mk: FloatArray, edges_e2: Labels) -> Labels:
    """Direction (m,) of each face: one it faces, and that its neighbours take too."""
    count = len(cosine_mk)
    ones = np.ones(2 * len(edges_e2), np.float32)
    rows, columns = np.concatenate([edges_e2, edges_e2[:, ::-1]]).T
    neighbors = sparse.csr_matrix((ones, (rows, columns)), shape=(count, count))
    own_mk = np.where(cosine_mk >= MIN_COSINE, cosine_mk, -10.0).astype(np.float32)
    facing_m = np.argmax(own_mk, axis=1)
    for round_ in range(SMOOTHING_ROUNDS):
        one_hot = sparse.csr_matrix(
            (np.ones(count, np.float32), (np.arange(count), facing_m)), shape=own_mk.shape
        )
        wanted_m = np.argmax(own_mk + NEIGHBOR_WEIGHT * (neighbors @ one_hot).toarray(), axis=1)
        # Half of the faces at a time, else two that would each follow the other swap for ever.
        turn_m = np.arange(count) % 2 == round_ % 2
        facing_m = np.where(turn_m, wanted_m, facing_m)
    return np.asarray(facing_m)


def _merged(facing_m: Labels, cosine_mk: FloatArray, edges_e2: Labels) -> Labels:
    """Directions in which small charts have joined the neighbour that they touch most."""
    for _ in range(MERGE_ROUNDS):
        label_m = _connected(facing_m, edges_e2)
        small_c = np.bincount(label_m) < SMALL_CHART
        both = np.concatenate([edges_e2, edges_e2[:, ::-1]])
        across = both[small_c[label_m[both[:, 0]]] & (label_m[both[:, 0]] != label_m[both[:, 1]])]
        if len(across) == 0:
            break
        # The most frequent direction beside each small chart.
        code, times = np.unique(
            label_m[across[:, 0]] * cosine_mk.shape[1] + facing_m[across[:, 1]], return_counts=True
        )
        order = np.argsort(times, kind="stable")
        other_c = np.full(len(small_c), -1)
        other_c[code[order] // cosine_mk.shape[1]] = code[order] % cosine_mk.shape[1]
        wanted_m = other_c[label_m]
        takes_m = (wanted_m >= 0) & (
            np.take_along_axis(cosine_mk, np.maximum(wanted_m, 0)[:, None], 1)[:, 0] >= MIN_COSINE
        )
        facing_m = np.where(takes_m, wanted_m, facing_m)
    return facing_m


def _connected(label_m: Labels, edges_e2: Labels) -> Labels:
    """Labels 0 … count − 1 of the connected parts of equal label."""
    kept = edges_e2[label_m[edges_e2[:, 0]] == label_m[edges_e2[:, 1]]]
    count = len(label_m)
    graph = sparse.coo_matrix((np.ones(len(kept), bool), tuple(kept.T)), shape=(count, count))
    return np.asarray(connected_components(graph, directed=False)[1], np.int64)


def _projected(corners_m33: FloatArray, direction_m3: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Corners along each face's direction: in the plane (m, 3, 2), and their heights (m, 3)."""
    # Duff et al., "Building an orthonormal basis, revisited", JCGT 2017.
    x, y, z = direction_m3.T
    sign = np.where(z >= 0, 1.0, -1.0)
    a = -1.0 / (sign + z)
    b = x * y * a
    first_m3 = np.stack([1.0 + sign * x * x * a, sign * b, -sign * x], axis=1)
    second_m3 = np.stack([b, sign + y * y * a, -y], axis=1)
    axes_m33 = np.stack([first_m3, second_m3, direction_m3], axis=1)
    inside_m33 = np.einsum("mcx,max->mca", corners_m33, axes_m33)
    return inside_m33[..., :2], inside_m33[..., 2]


def _hidden(label_m: Labels, uv_m32: FloatArray, height_m3: FloatArray) -> NDArray[np.bool_]:
    """Which faces (m,) lie, at any tested point, under another of their chart."""
    low_c2, size_c2 = _boxes(label_m, uv_m32)
    # Side by side in rows, so that charts do not meet.
    per_row = max(1, int(np.sqrt(len(size_c2))))
    step_2 = 1.1 * size_c2.max(axis=0)
    # Charts have sizes of all orders; each is stretched to fill its cell, for float32's sake.
    stretch_c1 = (step_2 / np.maximum(size_c2, 1e-12)).min(axis=1, keepdims=True) / 1.1
    chart = np.arange(len(size_c2))
    cell_c2 = np.stack([chart % per_row, chart // per_row], axis=1) * step_2
    flat_m32 = (uv_m32 - low_c2[label_m][:, None]) * stretch_c1[label_m][:, None]
    flat_m32 += cell_c2[label_m][:, None]
    height_m3 = height_m3 - height_m3.min()
    top = 1.0 + height_m3.max()
    corners_m33 = np.concatenate([flat_m32, height_m3[..., None]], axis=2)
    count = len(label_m)
    scene = TriangleScene(corners_m33.reshape(-1, 3), np.arange(3 * count).reshape(-1, 3))
    hidden_m = np.zeros(count, bool)
    for weights_3 in TEST_POINTS:
        origins_m3 = np.einsum("mcx,c->mx", corners_m33, weights_3).astype(np.float32)
        height_m = origins_m3[:, 2].copy()
        origins_m3[:, 2] = top
        down_m3 = np.broadcast_to(np.array([0, 0, -1], np.float32), origins_m3.shape)
        hits = scene.cast(origins_m3, down_m3)
        # Where two share a border either may be met: then they are of one height.
        above_m = top - hits.distance_n > height_m + 1e-4 * top
        hidden_m |= hits.met_n & (hits.triangle_n != np.arange(count)) & above_m
    return hidden_m


def _boxes(label_m: Labels, uv_m32: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Lower corner and size (c, 2) of each chart."""
    count = int(label_m.max()) + 1
    low_c2, high_c2 = np.full((count, 2), np.inf), np.full((count, 2), -np.inf)
    np.minimum.at(low_c2, label_m, uv_m32.min(axis=1))
    np.maximum.at(high_c2, label_m, uv_m32.max(axis=1))
    return low_c2, high_c2 - low_c2


def _laid_out(label_m: Labels, uv_m32: FloatArray) -> Charts:
    """Charts turned so that each fills its box well: along its principal axes."""
    count = int(label_m.max()) + 1
    weight_c = 3.0 * np.bincount(label_m, minlength=count)

    def mean(values_m3: FloatArray) -> FloatArray:
        return np.bincount(label_m, values_m3.sum(axis=1), count) / weight_c

    u_m3, v_m3 = uv_m32[..., 0], uv_m32[..., 1]
    u_m3 = u_m3 - mean(u_m3)[label_m][:, None]
    v_m3 = v_m3 - mean(v_m3)[label_m][:, None]
    angle_c = 0.5 * np.arctan2(2.0 * mean(u_m3 * v_m3), mean(u_m3**2) - mean(v_m3**2))
    cosine_m1, sine_m1 = np.cos(angle_c)[label_m][:, None], np.sin(angle_c)[label_m][:, None]
    turned_m32 = np.stack(
        [cosine_m1 * u_m3 + sine_m1 * v_m3, cosine_m1 * v_m3 - sine_m1 * u_m3], axis=2
    )
    low_c2, size_c2 = _boxes(label_m, turned_m32)
    return Charts(label_m, turned_m32 - low_c2[label_m][:, None], size_c2)
