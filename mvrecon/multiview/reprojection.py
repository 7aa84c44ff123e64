"""Depth maps seen from other views."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from mvrecon.artifacts.depth import DepthMap, inverted
from mvrecon.geometry.transfer import FloatMap, PixelTransfer

# Width of a point's index beside the bits of its inverse depth.
INDEX_BITS = 32
# A gap is closed where more than half of its eight neighbours are seen: beside an edge they are 3.
LEAST_SEEN_AROUND = 5


@dataclass(frozen=True)
class SeenDepth:
    """Depth and confidence in a view; inverse depth 0 = none.

    Attributes:
        inverse_depth_hw: float32.
        confidence_hw: float32, 0 where there is no depth.
    """

    inverse_depth_hw: FloatMap
    confidence_hw: FloatMap


def see_from(view: DepthMap, other: DepthMap) -> SeenDepth:
    """What another map's points look like from a view, the nearest in front.

    Small gaps between the points are closed.
    """
    height, width = view.depth_hw.shape
    x_n, y_n, inverse_depth_n, inside_n = _project(view, other)
    pixel_n = y_n[inside_n] * width + x_n[inside_n]
    # Positive floats order like their bits; the index tells which point was in front.
    bits_n = inverse_depth_n[inside_n].view(np.int32).astype(np.int64) << INDEX_BITS
    key_n = torch.from_numpy(bits_n | np.flatnonzero(inside_n))
    front = torch.zeros(height * width, dtype=torch.int64)
    front.scatter_reduce_(0, torch.from_numpy(pixel_n), key_n, "amax")
    key_hw = front.numpy().reshape(height, width)
    seen_hw = key_hw > 0
    inverse_depth_hw = (key_hw >> INDEX_BITS).astype(np.int32).view(np.float32)
    source_hw = np.where(seen_hw, key_hw & ((1 << INDEX_BITS) - 1), 0)
    confidence_hw = np.where(seen_hw, other.confidence_hw.ravel()[source_hw], np.float32(0))
    return _close_gaps(inverse_depth_hw, confidence_hw)


def transfer_between(view: DepthMap, other: DepthMap) -> PixelTransfer:
    """Transfer from the pixels of a view to those of another."""
    other_from_view = np.linalg.inv(other.world_from_cam) @ view.world_from_cam
    return PixelTransfer.of_motion(view.k_33, other.k_33, other_from_view)


def _project(
    view: DepthMap, other: DepthMap
) -> tuple[NDArray[np.int64], NDArray[np.int64], FloatMap, NDArray[np.bool_]]:
    """Nearest pixel and inverse depth in a view of all points of another; which are inside."""
    u_hw, v_hw, depth_hw = transfer_between(other, view).project_depth(other.depth_hw)
    in_front_hw = (depth_hw > 0) & (other.depth_hw > 0)
    inverse_depth_hw = np.float32(1) / np.where(in_front_hw, depth_hw, np.float32(1))
    view_height, view_width = view.depth_hw.shape
    x_hw = np.rint(u_hw * inverse_depth_hw)
    y_hw = np.rint(v_hw * inverse_depth_hw)
    inside_hw = in_front_hw & (x_hw >= 0) & (x_hw < view_width) & (y_hw >= 0) & (y_hw < view_height)
    x_hw, y_hw = (np.where(inside_hw, values_hw, 0) for values_hw in (x_hw, y_hw))
    return (
        x_hw.astype(np.int64).ravel(),
        y_hw.astype(np.int64).ravel(),
        np.asarray(inverse_depth_hw, np.float32).ravel(),
        inside_hw.ravel(),
    )


def _close_gaps(inverse_depth_hw: FloatMap, confidence_hw: FloatMap) -> SeenDepth:
    """Fill pixels that most of their neighbours surround, not those beside a surface's edge."""
    kernel = np.ones((3, 3), np.uint8)
    empty_hw = inverse_depth_hw == 0
    seen_around_hw = cv2.boxFilter((~empty_hw).astype(np.uint8), -1, (3, 3), normalize=False)
    gap_hw = empty_hw & (seen_around_hw >= LEAST_SEEN_AROUND)
    beside_hw = cv2.dilate(inverse_depth_hw, kernel)
    return SeenDepth(
        np.where(gap_hw, beside_hw, inverse_depth_hw),
        np.where(gap_hw, cv2.dilate(confidence_hw, kernel), confidence_hw),
    )


def own_depth(view: DepthMap) -> SeenDepth:
    """A view's own map in the form of the reprojected ones."""
    confidence_hw = np.where(view.depth_hw > 0, view.confidence_hw, np.float32(0))
    return SeenDepth(inverted(view.depth_hw), confidence_hw)


def free_space_violations(
    view: DepthMap, inverse_depth_hw: FloatMap, other: DepthMap, tolerance: float
) -> FloatMap:
    """How surely another view looks through the points of a view (h, w), 0…1.

    Args:
        view: gives the camera.
        inverse_depth_hw: of its points, 0 = none.
        other: the map that is asked; its confidence is the answer's.
        tolerance: relative depth by which it must look beyond a point.
    """
    points = replace(view, depth_hw=inverted(inverse_depth_hw))
    x_n, y_n, inverse_n, inside_n = _project(other, points)
    beyond_n = other.depth_hw[y_n, x_n] * inverse_n > 1.0 + tolerance
    violation_n = np.where(inside_n & beyond_n, other.confidence_hw[y_n, x_n], np.float32(0))
    return violation_n.reshape(inverse_depth_hw.shape)
