"""Optical flow as a picture in Middlebury's colours."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# Steps between the wheel's corners: red, yellow, green, cyan, blue, magenta, red.
WHEEL_STEPS = (15, 6, 4, 11, 13, 6)
WHEEL_CORNERS = ((1, 0, 0), (1, 1, 0), (0, 1, 0), (0, 1, 1), (0, 0, 1), (1, 0, 1), (1, 0, 0))
# Beyond the largest magnitude the colour is darkened by this factor.
BEYOND = 0.75


def flow_to_rgb(
    flow_hw2: NDArray[np.float32],
    largest_px: float | None = None,
    valid_hw: NDArray[np.bool_] | None = None,
) -> NDArray[np.uint8]:
    """Colour by direction, saturation by magnitude; still is white, invalid black.

    The wheel is that of Baker et al., "A Database and Evaluation Methodology for Optical
    Flow", IJCV 2011.

    Args:
        flow_hw2: x then y, pixels.
        largest_px: magnitude of full saturation; the 99th percentile if None.
        valid_hw: where there is flow.

    Returns:
        (h, w, 3) RGB.
    """
    magnitude_hw = np.linalg.norm(flow_hw2, axis=-1)
    known = magnitude_hw if valid_hw is None else magnitude_hw[valid_hw]
    if largest_px is None:
        largest_px = float(np.percentile(known, 99)) if known.size else 1.0
    radius_hw1 = (magnitude_hw / max(largest_px, 1e-6))[..., None]
    hue_hw3 = _wheel_colour(np.arctan2(-flow_hw2[..., 1], -flow_hw2[..., 0]))
    rgb_hw3 = np.where(radius_hw1 <= 1, 1 - radius_hw1 * (1 - hue_hw3), hue_hw3 * BEYOND)
    if valid_hw is not None:
        rgb_hw3 = rgb_hw3 * valid_hw[..., None]
    return np.round(rgb_hw3 * 255).astype(np.uint8)


def _wheel_colour(angle_rad: NDArray[np.floating]) -> NDArray[np.float64]:
    """Colour in 0…1 of angles in −π…π, linear between the wheel's corners."""
    position = (angle_rad / np.pi + 1) / 2 * (sum(WHEEL_STEPS) - 1)
    corners = np.concatenate([[0], np.cumsum(WHEEL_STEPS)])
    channels = [
        np.interp(position, corners, channel) for channel in zip(*WHEEL_CORNERS, strict=True)
    ]
    return np.stack(channels, axis=-1)
