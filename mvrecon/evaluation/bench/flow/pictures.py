"""A pair as a picture: image, true flow, estimate, error."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from mvrecon.formats.flow_colours import flow_to_rgb

TILE_PX = 360
GAP_PX = 4
SPARSE_SHARE = 0.7
# Errors are coloured on a logarithmic scale from 0 to this.
WORST_PX = 16.0
UNKNOWN_RGB = (90, 90, 90)

Picture = NDArray[np.uint8]


def error_strip(
    image_hw3: Picture,
    truth_hw2: NDArray[np.float32],
    valid_hw: NDArray[np.bool_],
    flow_hw2: NDArray[np.float32],
    error_hw: NDArray[np.floating],
) -> Picture:
    """Image, true and estimated flow in one colour scale, and the error, side by side.

    Args:
        image_hw3: RGB.
        truth_hw2: true flow.
        valid_hw: where it is known; black elsewhere.
        flow_hw2: estimate.
        error_hw: end-point error in pixels.
    """
    speeds = np.linalg.norm(truth_hw2[valid_hw], axis=-1)
    largest_px = max(float(np.percentile(speeds, 99)), 1.0) if speeds.size else 1.0
    # Sparse truth would fade between its unknown neighbours; the nearest pixel keeps its colour.
    how = cv2.INTER_NEAREST if valid_hw.mean() < SPARSE_SHARE else cv2.INTER_AREA
    tiles = [
        _tile(image_hw3, cv2.INTER_AREA),
        _tile(flow_to_rgb(truth_hw2, largest_px, valid_hw), how),
        _tile(flow_to_rgb(flow_hw2, largest_px), cv2.INTER_AREA),
        _tile(error_rgb(error_hw, valid_hw), how),
    ]
    return _joined(tiles)


def side_by_side(pictures: Sequence[Picture], how: int) -> Picture:
    """Pictures of one size in a row, shrunk; `how` is OpenCV's interpolation."""
    return _joined([_tile(one, how) for one in pictures])


def _joined(tiles: Sequence[Picture]) -> Picture:
    gap = np.full((tiles[0].shape[0], GAP_PX, 3), 255, np.uint8)
    parts = [part for tile in tiles for part in (tile, gap)]
    return np.concatenate(parts[:-1], axis=1)


def error_rgb(error_hw: NDArray[np.floating], valid_hw: NDArray[np.bool_]) -> Picture:
    """End-point error from dark (0) to bright yellow (16 px and more), unknown is grey."""
    level_hw = np.log2(1 + np.minimum(error_hw, WORST_PX)) / np.log2(1 + WORST_PX)
    level_hw = np.where(valid_hw, level_hw, 0)
    coloured = cv2.applyColorMap(np.round(level_hw * 255).astype(np.uint8), cv2.COLORMAP_INFERNO)
    rgb_hw3 = np.ascontiguousarray(coloured[..., ::-1], np.uint8)
    rgb_hw3[~valid_hw] = UNKNOWN_RGB
    return rgb_hw3


def _tile(picture_hw3: Picture, how: int) -> Picture:
    scale = min(1.0, TILE_PX / max(picture_hw3.shape[:2]))
    size = tuple(max(1, round(side * scale)) for side in picture_hw3.shape[1::-1])
    return np.asarray(cv2.resize(picture_hw3, size, interpolation=how), np.uint8)
