"""Small patches of images about points at sub-pixel positions."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]

# Of the patches that are compared without being aligned: small, so that they hardly deform.
PATCH_RADIUS_PX = 5
# cv2.remap takes at most 32767 rows or columns.
MOST_ROWS = 30000
# In grey levels; keeps flat patches from being divided by 0.
LEAST_NORM = 1e-3


def patch_offsets(radius_px: int) -> FloatArray:
    """Offsets (p, 2) of the pixels of a square patch from its centre, row by row."""
    steps = np.arange(-radius_px, radius_px + 1, dtype=np.float32)
    return np.stack(np.meshgrid(steps, steps), axis=-1).reshape(-1, 2)


def sample_patches(image_hw: NDArray[np.uint8], x_np: FloatArray, y_np: FloatArray) -> FloatArray:
    """Values (n, p) of an image, bilinear; outside, those at its border."""
    values_np = np.empty(x_np.shape, np.float32)
    for start in range(0, len(x_np), MOST_ROWS):
        some = slice(start, start + MOST_ROWS)
        values_np[some] = cv2.remap(
            image_hw, x_np[some], y_np[some], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
    return values_np


def normalized_patches(image_hw: NDArray[np.uint8], xy_n2: FloatArray) -> FloatArray:
    """Patches (n, p) about pixels (n, 2), of mean 0 and length 1; flat ones are 0."""
    offset_p2 = patch_offsets(PATCH_RADIUS_PX)
    patches_np = sample_patches(
        image_hw, xy_n2[:, :1] + offset_p2[:, 0], xy_n2[:, 1:] + offset_p2[:, 1]
    )
    patches_np -= patches_np.mean(axis=1, keepdims=True)
    norm_n1 = np.linalg.norm(patches_np, axis=1, keepdims=True)
    return np.asarray(patches_np / np.maximum(norm_n1, LEAST_NORM))
