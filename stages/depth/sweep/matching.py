"""Photo-consistency of depth hypotheses over several views."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mvrecon.compiled import compiled
from mvrecon.geometry.transfer import FloatMap, PixelTransfer
from stages.depth.sweep.correlation import Windows
from stages.depth.views import View

# Homogeneous coordinate below which what projects is not divided by it: behind the camera.
NEAREST = np.float32(1e-6)


def texture_variance(gray_hw: FloatMap, size_px: int) -> FloatMap:
    """Variance (grey levels²) in the window round each pixel."""
    return Windows.of(gray_hw, size_px).variance_hw


def sweep_costs(
    view: View,
    neighbors: Sequence[View],
    transfers: Sequence[PixelTransfer],
    inverse_depths: NDArray[np.float64],
    window_px: int,
) -> NDArray[np.uint8]:
    """Matching cost of fronto-parallel planes (plane sweep, Collins 1996).

    Args:
        view: the view whose depth is wanted.
        neighbors: the views it is matched with.
        transfers: from the view to each of them.
        inverse_depths: one plane each.
        window_px: side of the matching window.

    Returns:
        (height, hypotheses, width), 0…127: 127 × (1 − mean correlation of the best views).
    """
    height, width = view.gray_hw.shape
    windows, images = Windows.of(view.gray_hw, window_px), _with_border(neighbors)
    others_nhw = np.empty((len(neighbors), height, width), np.float32)
    seen_nhw = np.empty(others_nhw.shape, np.bool_)
    costs_hw = np.empty((height, width), np.uint8)
    volume_hdw = np.empty((height, len(inverse_depths), width), np.uint8)
    for row, inverse_depth in enumerate(inverse_depths):
        for index, (image_hw, transfer) in enumerate(zip(images, transfers, strict=True)):
            homography_33 = transfer.plane_homography(float(inverse_depth)).astype(np.float32)
            _warp_plane(image_hw, homography_33, others_nhw[index], seen_nhw[index])
        windows.costs(others_nhw, seen_nhw, costs_hw)
        volume_hdw[:, row] = costs_hw
    return volume_hdw


@compiled
def _warp_plane(
    bordered_hw: FloatMap,
    homography_33: NDArray[np.float32],
    warped_hw: FloatMap,
    seen_hw: NDArray[np.bool_],
) -> None:
    """What a plane shows of another image, and which pixels of it lie there."""
    to_u, to_v, to_w = homography_33[0], homography_33[1], homography_33[2]
    width = warped_hw.shape[1]
    x_w, y_w = np.empty(width, np.float32), np.empty(width, np.float32)
    for y in range(len(warped_hw)):
        down = np.float32(y)
        u0, v0, w0 = to_u[1] * down + to_u[2], to_v[1] * down + to_v[2], to_w[1] * down + to_w[2]
        seen_w = seen_hw[y]
        for x in range(width):
            along = np.float32(x)
            w = to_w[0] * along + w0
            divisor = w if w > NEAREST else NEAREST
            x_w[x] = (to_u[0] * along + u0) / divisor
            y_w[x] = (to_v[0] * along + v0) / divisor
            seen_w[x] = w > 0
        _sample_row(bordered_hw, x_w, y_w, warped_hw[y], seen_w)


def _with_border(neighbors: Sequence[View]) -> list[FloatMap]:
    """Images with one row and one column more, so that each pixel has a next one."""
    return [np.pad(neighbor.gray_hw, ((0, 1), (0, 1)), mode="edge") for neighbor in neighbors]


@compiled
def _sample_row(
    bordered_hw: FloatMap,
    x_w: NDArray[np.float32],
    y_w: NDArray[np.float32],
    sampled_w: NDArray[np.float32],
    seen_w: NDArray[np.bool_],
) -> None:
    """Bilinear, repeating the border; pixels beyond it are marked as not seen.

    `x_w` and `y_w` are scratch space.
    """
    height, stride = bordered_hw.shape
    pixels_n = bordered_hw.reshape(height * stride)
    bottom, right = np.float32(height - 2), np.float32(stride - 2)
    here_w = np.empty(len(x_w), np.uint32)
    for x in range(len(x_w)):
        at_x, at_y = x_w[x], y_w[x]
        seen_w[x] &= (at_x >= 0) & (at_y >= 0) & (at_x <= right) & (at_y <= bottom)
        at_x = at_x if at_x > 0 else np.float32(0)
        at_y = at_y if at_y > 0 else np.float32(0)
        at_x = at_x if at_x < right else right
        at_y = at_y if at_y < bottom else bottom
        left, top = np.int32(at_x), np.int32(at_y)
        x_w[x], y_w[x] = at_x - np.float32(left), at_y - np.float32(top)
        here_w[x] = np.uint32(np.int32(top * np.int32(stride)) + left)
    below = np.uint32(stride)
    for x in range(len(x_w)):
        here = here_w[x]
        upper, upper_right = pixels_n[here], pixels_n[here + np.uint32(1)]
        lower, lower_right = pixels_n[here + below], pixels_n[here + below + np.uint32(1)]
        upper += x_w[x] * (upper_right - upper)
        lower += x_w[x] * (lower_right - lower)
        sampled_w[x] = upper + y_w[x] * (lower - upper)


def surface_costs(
    view: View,
    neighbors: Sequence[View],
    transfers: Sequence[PixelTransfer],
    *,
    surface_hw: FloatMap,
    offsets: NDArray[np.float64],
    window_px: int,
) -> NDArray[np.uint8]:
    """Matching cost of surfaces parallel (in inverse depth) to a given one.

    As the windows lie on the surface, slanted ones match as well as fronto-parallel ones.

    Args:
        view: the view whose depth is wanted.
        neighbors: the views it is matched with.
        transfers: from the view to each of them.
        surface_hw: inverse depth.
        offsets: added to the inverse depth, one hypothesis each.
        window_px: side of the matching window.

    Returns:
        (height, offsets, width), 0…127 as in `sweep_costs`.
    """
    height, width = view.gray_hw.shape
    windows, images = Windows.of(view.gray_hw, window_px), _with_border(neighbors)
    others_nhw = np.empty((len(neighbors), height, width), np.float32)
    seen_nhw = np.empty(others_nhw.shape, np.bool_)
    costs_hw = np.empty((height, width), np.uint8)
    volume_hdw = np.empty((height, len(offsets), width), np.uint8)
    for row, offset in enumerate(offsets):
        for index, (image_hw, transfer) in enumerate(zip(images, transfers, strict=True)):
            transfer_34 = np.column_stack([transfer.infinite_33, transfer.epipole_3])
            _warp_surface(
                image_hw,
                transfer_34.astype(np.float32),
                surface_hw,
                np.float32(offset),
                others_nhw[index],
                seen_nhw[index],
            )
        windows.costs(others_nhw, seen_nhw, costs_hw)
        volume_hdw[:, row] = costs_hw
    return volume_hdw


@compiled
def _warp_surface(  # noqa: PLR0917
    bordered_hw: FloatMap,
    transfer_34: NDArray[np.float32],
    surface_hw: FloatMap,
    offset: np.float32,
    warped_hw: FloatMap,
    seen_hw: NDArray[np.bool_],
) -> None:
    """What a surface (inverse depth) shows of another image, and which of it lies there.

    As `PixelTransfer.project`, without its passes over memory.
    """
    to_u, to_v, to_w = transfer_34[0], transfer_34[1], transfer_34[2]
    width = warped_hw.shape[1]
    x_w, y_w = np.empty(width, np.float32), np.empty(width, np.float32)
    for y in range(len(warped_hw)):
        down = np.float32(y)
        u0, v0, w0 = to_u[1] * down + to_u[2], to_v[1] * down + to_v[2], to_w[1] * down + to_w[2]
        surface_w, seen_w = surface_hw[y], seen_hw[y]
        for x in range(width):
            along = np.float32(x)
            inverse_depth = surface_w[x] + offset
            w = to_w[0] * along + w0 + to_w[3] * inverse_depth
            divisor = w if w > NEAREST else NEAREST
            x_w[x] = (to_u[0] * along + u0 + to_u[3] * inverse_depth) / divisor
            y_w[x] = (to_v[0] * along + v0 + to_v[3] * inverse_depth) / divisor
            seen_w[x] = w > 0
        _sample_row(bordered_hw, x_w, y_w, warped_hw[y], seen_w)
