"""From a volume to triangles, in an order that depends on the values alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stages.surface.blocks import BLOCK_VOXELS, Keys, block_rows
from stages.surface.config import VolumeOptions
from stages.surface.volume import Volume, voxel_offsets

Vertices = NDArray[np.float32]
Faces = NDArray[np.int32]

EVIDENCE_SCALE = 2.0  # summed confidence at which 63 % are reached: two sure views


def extract_triangles(
    volume: Volume, owned_n3: Keys, border_n3: Keys, options: VolumeOptions
) -> tuple[Vertices, Faces]:
    """Marching cubes over the voxels that are supported well enough.

    Args:
        volume: holds the blocks of both kinds.
        owned_n3: blocks whose cells are wanted.
        border_n3: blocks beside them that these cells reach into.
        options: what a surface needs.

    Returns:
        Vertices (n, 3) and faces (m, 3), which face free space; both may be empty. Vertices on
        the border are the same, to the bit, as those that the bricks beside it give.
    """
    import open3d as o3d

    keys_n3 = np.concatenate([owned_n3, border_n3])
    grid = o3d.t.geometry.VoxelBlockGrid(
        attr_names=("tsdf", "weight"),
        attr_dtypes=(o3d.core.float32, o3d.core.float32),
        attr_channels=(o3d.core.SizeVector([1]), o3d.core.SizeVector([1])),
        voxel_size=volume.voxel_size,
        block_resolution=BLOCK_VOXELS,
        block_count=len(keys_n3),
        device=o3d.core.Device("CPU:0"),
    )
    slots, _ = grid.hashmap().activate(o3d.core.Tensor.from_numpy(keys_n3))
    slots_n = slots.numpy().astype(np.int64)
    rows_n = block_rows(volume.keys_n3, keys_n3.astype(np.int64))
    supported = volume.surface_voxels(rows_n, options)
    # No cell of a border block has all its corners in the first layers, so none is extracted.
    supported[len(owned_n3) :] &= (voxel_offsets() == 0).any(axis=1)
    distance = volume.distance_sum[rows_n] / np.maximum(volume.weight_sum[rows_n], 1e-12)
    for name, values in (("tsdf", distance / volume.truncation), ("weight", supported)):
        attribute = grid.attribute(name).numpy()
        attribute[slots_n] = values.reshape(-1, *attribute.shape[1:])
    try:
        mesh = grid.extract_triangle_mesh(0.5)
    except RuntimeError:  # Open3D's answer where it finds no vertex
        mesh = None
    if mesh is None or "indices" not in mesh.triangle or len(mesh.triangle.indices) == 0:
        return np.empty((0, 3), np.float32), np.empty((0, 3), np.int32)
    return canonical_order(
        mesh.vertex.positions.numpy(), mesh.triangle.indices.numpy().astype(np.int32)
    )


def canonical_order(vertices_n3: Vertices, faces_m3: Faces) -> tuple[Vertices, Faces]:
    """Sort vertices by position and faces by vertex, keeping each face's orientation.

    Open3D extracts in parallel, so its order differs from run to run.
    """
    order_n = np.lexsort(vertices_n3.T[::-1])
    new_index_n = np.empty(len(order_n), np.int32)
    new_index_n[order_n] = np.arange(len(order_n), dtype=np.int32)
    faces_m3 = new_index_n[faces_m3]
    turn_m1 = np.argmin(faces_m3, axis=1)[:, None]
    faces_m3 = np.take_along_axis(faces_m3, (turn_m1 + np.arange(3)) % 3, axis=1)
    return vertices_n3[order_n], faces_m3[np.lexsort(faces_m3.T[::-1])]


def vertex_confidence(volume: Volume, vertices_n3: Vertices) -> NDArray[np.float32]:
    """Confidence (n,) of points on the surface, from the evidence at their voxel.

    `1 − exp(−evidence / 2)`: 0.39 for one fully confident view, 0.92 for five.
    """
    voxels_n3 = np.round(vertices_n3 / volume.voxel_size).astype(np.int64)
    rows_n = block_rows(volume.keys_n3, voxels_n3 // BLOCK_VOXELS)
    x_n, y_n, z_n = (voxels_n3 % BLOCK_VOXELS).T
    cells_n = x_n + BLOCK_VOXELS * (y_n + BLOCK_VOXELS * z_n)
    evidence_n = np.where(rows_n >= 0, volume.evidence[rows_n, cells_n], 0.0)
    return (1.0 - np.exp(-evidence_n / EVIDENCE_SCALE)).astype(np.float32)
