"""Sub-pixel refinement of tracked points against the patch where they were first seen."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]
Pyramid = Sequence[NDArray[np.uint8]]

WINDOW_PX = (17, 17)
PATCH_RADIUS_PX = 5
MIN_CORRELATION = 0.85


def align_patches(
    anchor_hw: NDArray[np.uint8],
    image_hw: NDArray[np.uint8],
    anchor_xy_n2: FloatArray,
    guess_xy_n2: FloatArray,
    max_shift_px: float,
) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Lucas–Kanade alignment of the patches at `anchor_xy_n2`, started at a guess.

    Flow chained from frame to frame drifts; a patch compared with its first view does not.

    Returns:
        Refined pixels (n, 2), and which of them can be trusted: moved at most
        `max_shift_px` and correlate with the anchor's patch.
    """
    if len(anchor_xy_n2) == 0:
        return guess_xy_n2.copy(), np.zeros(0, bool)
    refined_n12, status_n1, _ = cv2.calcOpticalFlowPyrLK(
        anchor_hw,
        image_hw,
        anchor_xy_n2[:, None],
        guess_xy_n2[:, None].copy(),
        winSize=WINDOW_PX,
        maxLevel=0,
        criteria=(cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 20, 0.01),
        flags=cv2.OPTFLOW_USE_INITIAL_FLOW,
        minEigThreshold=1e-5,
    )
    refined_n2 = refined_n12[:, 0].astype(np.float32)
    shift_n = np.linalg.norm(refined_n2 - guess_xy_n2, axis=1)
    good_n = (status_n1[:, 0] == 1) & (shift_n <= max_shift_px)
    good_n &= patch_correlation(anchor_hw, image_hw, anchor_xy_n2, refined_n2) >= MIN_CORRELATION
    return refined_n2, good_n


def patch_correlation(
    first_hw: NDArray[np.uint8],
    second_hw: NDArray[np.uint8],
    first_xy_n2: FloatArray,
    second_xy_n2: FloatArray,
) -> FloatArray:
    """Normalised cross-correlation (n,) in −1…1 of the patches round corresponding pixels."""
    first_np = normalized_patches(first_hw, first_xy_n2)
    second_np = normalized_patches(second_hw, second_xy_n2)
    return np.asarray((first_np * second_np).sum(axis=1))


def normalized_patches(image_hw: NDArray[np.uint8], xy_n2: FloatArray) -> FloatArray:
    """Patches (n, p) about pixels (n, 2), of mean 0 and length 1; flat ones are 0."""
    steps = np.arange(-PATCH_RADIUS_PX, PATCH_RADIUS_PX + 1, dtype=np.float32)
    dx_p, dy_p = (grid.ravel() for grid in np.meshgrid(steps, steps))
    # cv2.remap takes at most 32767 rows or columns.
    chunks = [
        cv2.remap(
            image_hw,
            chunk_n2[:, :1] + dx_p,
            chunk_n2[:, 1:] + dy_p,
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )
        for chunk_n2 in np.array_split(xy_n2, len(xy_n2) // 30000 + 1)
    ]
    patches_np = np.concatenate(chunks).astype(np.float32)
    patches_np -= patches_np.mean(axis=1, keepdims=True)
    norm_n1 = np.linalg.norm(patches_np, axis=1, keepdims=True)
    return np.asarray(patches_np / np.maximum(norm_n1, 1e-3))
