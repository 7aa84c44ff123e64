"""Which blocks of voxels the surface passes through, and how large a voxel is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mvrecon.errors import NotEnoughDataError
from stages.surface.views import DepthLoader, confident_depth, depth_noise, world_points

Keys = NDArray[np.int32]

BLOCK_VOXELS = 8  # along each edge
KEY_BITS = 21  # a block coordinate must lie in ±2**20
COARSEN_MARGIN = 1.03


@dataclass(frozen=True)
class Scale:
    """Sizes that follow from the depth maps.

    Attributes:
        reference_depth: median depth, world units.
        pixel_footprint: size of a depth pixel at that depth, world units.
        depth_noise: standard deviation of depth divided by depth.
    """

    reference_depth: float
    pixel_footprint: float
    depth_noise: float


def measure_scale(names: Sequence[str], load: DepthLoader, min_confidence: float) -> Scale:
    """Median depth and pixel footprint over the views, and the noise between them.

    Raises:
        NotEnoughDataError: no view has confident depth.
    """
    depths, footprints = [], []
    for name in names:
        depth_map = load(name)
        depth_hw = confident_depth(depth_map, min_confidence)
        values = depth_hw[depth_hw > 0]
        if len(values):
            depths.append(float(np.median(values)))
            footprints.append(depths[-1] / float(depth_map.k_33[0, 0]))
    if not depths:
        raise NotEnoughDataError(
            f"no depth map has a pixel of confidence {min_confidence:g} or more",
            "Film the scene with more sideways motion, or lower --surface.min_confidence",
        )
    return Scale(
        reference_depth=float(np.median(depths)),
        pixel_footprint=float(np.median(footprints)),
        depth_noise=depth_noise(names, load, min_confidence),
    )


def find_blocks(
    names: Sequence[str],
    load: DepthLoader,
    voxel_size: float,
    min_confidence: float,
    min_views: int,
) -> Keys:
    """Blocks that confident depth of at least `min_views` views touches.

    Returns:
        Block coordinates (n, 3), sorted; block k spans k … k + 1 times the block's edge.
    """
    codes: NDArray[np.int64] = np.empty(0, np.int64)
    counts: NDArray[np.int64] = np.empty(0, np.int64)
    for name in names:
        touched = _touched_codes(load, name, voxel_size, min_confidence)
        codes, inverse = np.unique(np.concatenate([codes, touched]), return_inverse=True)
        counts = np.bincount(
            inverse, weights=np.concatenate([counts, np.ones(len(touched))]), minlength=len(codes)
        ).astype(np.int64)
    return _keys_of(codes[counts >= min(min_views, len(names))])


def choose_voxel_size(
    names: Sequence[str],
    load: DepthLoader,
    voxel_size: float,
    *,
    max_blocks: int,
    min_confidence: float,
    min_views: int,
) -> tuple[float, Keys]:
    """The voxel size, coarsened until the blocks fit the budget, and the blocks.

    The number of blocks on a surface falls with the square of the voxel's size.

    Raises:
        NotEnoughDataError: no block is seen by enough views.
    """
    while True:
        keys = find_blocks(names, load, voxel_size, min_confidence, min_views)
        if len(keys) == 0:
            raise NotEnoughDataError(
                f"no part of the scene has depth in {min_views} views that agree",
                "Film the scene with more overlap, or lower --surface.min_views",
            )
        if len(keys) <= max_blocks:
            return voxel_size, keys
        voxel_size *= COARSEN_MARGIN * float(np.sqrt(len(keys) / max_blocks))


def _touched_codes(
    load: DepthLoader, name: str, voxel_size: float, min_confidence: float
) -> NDArray[np.int64]:
    """Codes of the blocks within half a block, along the ray, of a view's depth."""
    depth_map = load(name)
    edge = voxel_size * BLOCK_VOXELS
    values = confident_depth(depth_map, min_confidence)
    if not np.any(values):
        return np.empty(0, np.int64)
    footprint = float(np.median(values[values > 0])) / float(depth_map.k_33[0, 0])
    stride_px = max(1, int(0.25 * edge / footprint))
    points_n3 = world_points(depth_map, min_confidence, stride_px)
    rays_n3 = points_n3 - depth_map.world_from_cam[:3, 3]
    rays_n3 /= np.linalg.norm(rays_n3, axis=1, keepdims=True)
    keys = [
        np.floor((points_n3 + offset * edge * rays_n3) / edge).astype(np.int64)
        for offset in (-0.5, 0.0, 0.5)
    ]
    return np.unique(_codes_of(np.concatenate(keys)))


def _codes_of(keys_n3: NDArray[np.int64]) -> NDArray[np.int64]:
    """One integer for each block within range; its order is that of (x, y, z)."""
    half = 1 << (KEY_BITS - 1)
    keys_n3 = keys_n3[np.all(np.abs(keys_n3) < half, axis=1)] + half
    return (keys_n3[:, 0] << (2 * KEY_BITS)) | (keys_n3[:, 1] << KEY_BITS) | keys_n3[:, 2]


def _keys_of(codes_n: NDArray[np.int64]) -> Keys:
    mask, half = (1 << KEY_BITS) - 1, 1 << (KEY_BITS - 1)
    parts = [codes_n >> (2 * KEY_BITS), (codes_n >> KEY_BITS) & mask, codes_n & mask]
    return (np.stack(parts, axis=1) - half).astype(np.int32)


def block_rows(keys_n3: Keys, query_m3: NDArray[np.int64]) -> NDArray[np.int64]:
    """Rows of blocks in sorted `keys_n3`; −1 for a block that is not there."""
    codes_n = _codes_of(keys_n3.astype(np.int64))
    wanted_m = _codes_of(query_m3)
    rows_m = np.minimum(np.searchsorted(codes_n, wanted_m), len(codes_n) - 1)
    return np.where(codes_n[rows_m] == wanted_m, rows_m, -1)
