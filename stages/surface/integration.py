"""What one depth map says of each voxel of some blocks: the inner loop of the volume."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mvrecon.compiled import compiled

Array = NDArray[np.float32]

MAX_COUNT = 255  # views are counted in a byte


@compiled
def add_view(  # noqa: PLR0917
    rows: NDArray[np.int64],
    corner_n3: Array,
    offset_v3: Array,
    maps_hw4: Array,
    filled_depth_hw: Array,
    reach: np.float32,
    carving: np.float32,
    clearance: np.float32,
    sums: tuple[Array, Array, Array, Array],
    views: NDArray[np.uint8],
) -> None:
    """Add a view to the sums of blocks, voxel by voxel.

    Args:
        rows: of the sums, a block each.
        corner_n3: homogeneous pixel of the first voxel of each of these blocks.
        offset_v3: what the other voxels of a block add to it.
        maps_hw4: depth, weight, slant and confidence of each pixel.
        filled_depth_hw: depth for interpolation.
        reach: truncation, in world units.
        carving: weight of seen free space relative to seen surface.
        clearance: share of a depth before which a voxel is clearly seen through.
        sums: of weighted distance, weight, evidence, confidence of what sees through, (n, voxels).
        views: count of those that see a surface nearby, (n, voxels).
    """
    height, width = filled_depth_hw.shape
    distance_sum, weight_sum, evidence, seen_through = sums
    half, one = np.float32(0.5), np.float32(1)
    for n in range(len(rows)):
        row = rows[n]
        for voxel in range(len(offset_v3)):
            z = corner_n3[n, 2] + offset_v3[voxel, 2]
            if z <= 0:
                continue
            u = (corner_n3[n, 0] + offset_v3[voxel, 0]) / z
            v = (corner_n3[n, 1] + offset_v3[voxel, 1]) / z
            if not (u > -half and v > -half and u < width - half and v < height - half):
                continue
            x, y = int(u + half), int(v + half)
            depth, weight, slant, confidence = maps_hw4[y, x]
            if weight <= 0:
                continue
            smooth = _between_pixels(filled_depth_hw, u, v, depth)
            # Interpolated depth is right on a surface and wrong across a depth edge.
            if abs(smooth - depth) < reach:
                depth = smooth
            distance = (depth - z) * slant
            if distance <= -reach:
                continue
            if z < depth * clearance - reach:
                seen_through[row, voxel] += confidence
            if distance < reach:
                # Behind the surface the distance is a guess that fades with depth.
                weight *= min(one + distance / reach, one)
                evidence[row, voxel] += confidence
                if views[row, voxel] < MAX_COUNT:
                    views[row, voxel] += np.uint8(1)
            else:
                weight *= carving
                distance = reach
            distance_sum[row, voxel] += weight * distance
            weight_sum[row, voxel] += weight


@compiled
def _between_pixels(
    map_hw: Array, u: np.float32, v: np.float32, otherwise: np.float32
) -> np.float32:
    """Bilinear interpolation; the other value where a neighbour is missing."""
    height, width = map_hw.shape
    if u < 0 or v < 0:
        return otherwise
    x, y = int(u), int(v)
    if x + 1 >= width or y + 1 >= height:
        return otherwise
    right, down = u - np.float32(x), v - np.float32(y)
    upper = map_hw[y, x] + right * (map_hw[y, x + 1] - map_hw[y, x])
    lower = map_hw[y + 1, x] + right * (map_hw[y + 1, x + 1] - map_hw[y + 1, x])
    return np.float32(upper + down * (lower - upper))
