"""Which blocks of voxels the surface passes through, and how large a voxel is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mvrecon.artifacts.depth import DepthMap
from mvrecon.errors import NotEnoughDataError
from stages.surface.config import SurfaceConfig
from stages.surface.views import DepthLoader, Sight, confident_depth, depth_noise, world_points

Keys = NDArray[np.int32]

BLOCK_VOXELS = 8  # along each edge
KEY_BITS = 21  # of a block's coordinate: three of them fit an integer of 64 bits
HALF_RANGE = 1 << (KEY_BITS - 1)  # block coordinates lie in ± this
# Finest detail of depth maps, in their pixels: they are matched by windows of 5 and smoothed over
# 3, so that pixels beside each other say nearly the same.
DETAIL_PX = 1.5
# Edge of a voxel in deviations of depth, at least: finer voxels cost time and add froth.
NOISE_SHARE = 0.75
SAMPLE_SPACING = 0.3  # of a block's edge: no block on the surface is stepped over
# The number of blocks falls with the square of the voxel's size on a surface and with its cube
# in noise; a little more than is due saves a further round.
COARSEN_MARGIN = 1.03
COARSEN_POWER = 1 / 2.5


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

    def voxel_size(self, resolution: float, depth: float | None = None) -> float:
        """Edge of a voxel for `resolution` voxels to the finest detail, not far below the noise.

        Args:
            resolution: voxels to `DETAIL_PX` pixels or to `NOISE_SHARE` of the noise.
            depth: of the view, world units; the reference depth if not given.
        """
        noise = self.depth_noise * self.reference_depth
        detail = max(DETAIL_PX * self.pixel_footprint, NOISE_SHARE * noise)
        return detail / resolution * (1.0 if depth is None else depth / self.reference_depth)


def survey(
    names: Sequence[str], load: DepthLoader, min_confidence: float
) -> tuple[Scale, list[Sight]]:
    """Median depth and pixel footprint over the views, the noise between them, what each sees.

    Raises:
        NotEnoughDataError: no view has confident depth.
    """
    depths, footprints, sights = [], [], []
    for name in names:
        depth_map = load(name)
        depth_hw = confident_depth(depth_map, min_confidence)
        values = depth_hw[depth_hw > 0]
        if len(values):
            depths.append(float(np.median(values)))
            footprints.append(depths[-1] / float(depth_map.k_33[0, 0]))
            sights.append(Sight.of(name, depth_map, min_confidence))
    if not depths:
        raise NotEnoughDataError(
            f"no depth map has a pixel of confidence {min_confidence:g} or more",
            "Film the scene with more sideways motion, or lower --surface.depth.min_confidence",
        )
    scale = Scale(
        reference_depth=float(np.median(depths)),
        pixel_footprint=float(np.median(footprints)),
        depth_noise=depth_noise(names, load, min_confidence),
    )
    return scale, sights


def find_blocks(
    names: Sequence[str],
    load: DepthLoader,
    voxel_size: float,
    config: SurfaceConfig,
) -> Keys:
    """Blocks that depth of enough views and summed confidence touches.

    Returns:
        Block coordinates (n, 3), sorted; block k spans k … k + 1 times the block's edge.
    """
    codes: NDArray[np.int64] = np.empty(0, np.int64)
    # Rows: number of views, summed confidence.
    sums_2n = np.empty((2, 0))
    for name in names:
        touched, confidence = _touched_codes(load(name), voxel_size, config.depth.min_confidence)
        codes, inverse = np.unique(np.concatenate([codes, touched]), return_inverse=True)
        added_2n = np.stack([np.ones(len(touched)), confidence])
        terms_2n = np.concatenate([sums_2n, added_2n], axis=1)
        sums_2n = np.stack([np.bincount(inverse, terms, len(codes)) for terms in terms_2n])
    views, evidence = sums_2n
    needed = config.volume
    return _keys_of(codes[(views >= needed.min_views) & (evidence >= needed.min_evidence)])


def choose_voxel_size(
    names: Sequence[str],
    load: DepthLoader,
    voxel_size: float,
    config: SurfaceConfig,
) -> tuple[float, Keys]:
    """The voxel size, coarsened until the blocks fit the budget, and the blocks.

    Raises:
        NotEnoughDataError: no block is seen by enough views.
    """
    while True:
        keys = find_blocks(names, load, voxel_size, config)
        if len(keys) == 0:
            raise NotEnoughDataError(
                f"no part of the scene has depth in {config.volume.min_views} views that agree",
                "Film the scene with more overlap, or lower --surface.volume.min_views "
                "and --surface.volume.min_evidence",
            )
        excess = len(keys) / config.volume.max_blocks
        if excess <= 1.0:
            return voxel_size, keys
        voxel_size *= COARSEN_MARGIN * excess**COARSEN_POWER


def _touched_codes(
    depth_map: DepthMap, voxel_size: float, min_confidence: float
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Codes of the blocks within half a block, along the ray, of a view's depth.

    Returns:
        Sorted codes, and for each the largest confidence of the pixels that touch it.
    """
    edge = voxel_size * BLOCK_VOXELS
    depth_hw = confident_depth(depth_map, min_confidence)
    if not np.any(depth_hw):
        return np.empty(0, np.int64), np.empty(0)
    footprint = float(np.median(depth_hw[depth_hw > 0])) / float(depth_map.k_33[0, 0])
    stride_px = max(1, int(SAMPLE_SPACING * edge / footprint))
    points_n3 = world_points(depth_map, min_confidence, stride_px)
    confidence_n = depth_map.confidence_hw[::stride_px, ::stride_px][
        depth_hw[::stride_px, ::stride_px] > 0
    ]
    rays_n3 = points_n3 - depth_map.world_from_cam[:3, 3]
    step_n3 = rays_n3 * (0.5 * edge / np.linalg.norm(rays_n3, axis=1, keepdims=True))
    samples_n3 = np.concatenate([points_n3 - step_n3, points_n3, points_n3 + step_n3]) / edge
    in_range_n = np.all(np.abs(samples_n3) < HALF_RANGE, axis=1)
    codes_n = _codes_of(np.floor(samples_n3[in_range_n]).astype(np.int64))
    order_n = np.argsort(codes_n, kind="stable")
    codes, first = np.unique(codes_n[order_n], return_index=True)
    sorted_confidence_n = np.tile(confidence_n, 3)[in_range_n][order_n]
    return codes, np.maximum.reduceat(sorted_confidence_n, first).astype(np.float64)


def _codes_of(keys_n3: NDArray[np.int64]) -> NDArray[np.int64]:
    """One integer for each block; its order is that of (x, y, z)."""
    shifted_n3 = keys_n3 + HALF_RANGE
    return (shifted_n3[:, 0] << 2 * KEY_BITS) | (shifted_n3[:, 1] << KEY_BITS) | shifted_n3[:, 2]


def _keys_of(codes_n: NDArray[np.int64]) -> Keys:
    mask = (1 << KEY_BITS) - 1
    parts = [codes_n >> (2 * KEY_BITS), (codes_n >> KEY_BITS) & mask, codes_n & mask]
    return (np.stack(parts, axis=1) - HALF_RANGE).astype(np.int32)


def sorted_keys(keys_n3: NDArray[np.int64]) -> Keys:
    """Each block once, in the order that `block_rows` needs."""
    return _keys_of(np.unique(_codes_of(keys_n3)))


def block_rows(keys_n3: Keys, query_m3: NDArray[np.int64]) -> NDArray[np.int64]:
    """Rows of blocks in sorted `keys_n3`; −1 for a block that is not there."""
    codes_n = _codes_of(keys_n3.astype(np.int64))
    wanted_m = _codes_of(query_m3)
    rows_m = np.minimum(np.searchsorted(codes_n, wanted_m), len(codes_n) - 1)
    return np.where(codes_n[rows_m] == wanted_m, rows_m, -1)
