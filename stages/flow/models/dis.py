"""Dense inverse search: fast optical flow without learning.

After Kroeger et al., "Fast Optical Flow using Dense Inverse Search", ECCV 2016 (OpenCV's
implementation, with variational refinement).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from stages.flow.models.base import FlowEstimate

if TYPE_CHECKING:
    from stages.flow.config import DisPreset

PRESETS: dict[DisPreset, int] = {
    "ultrafast": cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST,
    "fast": cv2.DISOPTICAL_FLOW_PRESET_FAST,
    "medium": cv2.DISOPTICAL_FLOW_PRESET_MEDIUM,
}
# mvflow needs no smoother flow to start from: with the preset's five it errs as much.
START_PRESET: DisPreset = "medium"
START_REFINEMENTS = 2
# OpenCV refuses images that are hardly larger than its patches; these are padded.
SMALLEST_SIDE_PX = 16


class DisFlow:
    """Dense inverse search as a flow model.

    Args:
        preset: OpenCV's trade-off of time and accuracy.
        refinements: iterations of the variational refinement on each level; the preset's if None.
    """

    def __init__(self, preset: DisPreset, refinements: int | None = None) -> None:
        self.preset = preset
        self.refinements = refinements

    def estimate(
        self, first_rgb_hw3: NDArray[np.uint8], second_rgb_hw3: NDArray[np.uint8]
    ) -> FlowEstimate:
        """Flow both ways."""
        # A new object for each call: OpenCV's keeps buffers that threads must not share.
        method = dis_search(self.preset, self.refinements)
        first, second = _grey(first_rgb_hw3), _grey(second_rgb_hw3)
        height, width = first_rgb_hw3.shape[:2]
        forward, backward = (
            np.ascontiguousarray(search(method, a, b)[:height, :width])
            for a, b in ((first, second), (second, first))
        )
        return FlowEstimate(forward, backward)


def dis_search(preset: DisPreset, refinements: int | None = None) -> cv2.DISOpticalFlow:
    """OpenCV's method with the settings of `DisFlow`."""
    method = cv2.DISOpticalFlow.create(PRESETS[preset])
    if refinements is not None:
        method.setVariationalRefinementIterations(refinements)
    return method


def search(
    method: cv2.DISOpticalFlow, first_hw: NDArray[np.uint8], second_hw: NDArray[np.uint8]
) -> NDArray[np.float32]:
    """Flow (h, w, 2) by that method; threads must not share it."""
    # OpenCV's stubs forbid the None that means no initial flow.
    return np.asarray(method.calc(first_hw, second_hw, None), np.float32)  # type: ignore[call-overload]


def _grey(rgb_hw3: NDArray[np.uint8]) -> NDArray[np.uint8]:
    grey_hw = cv2.cvtColor(rgb_hw3, cv2.COLOR_RGB2GRAY)
    bottom, right = (max(SMALLEST_SIDE_PX - size, 0) for size in grey_hw.shape)
    padded = cv2.copyMakeBorder(grey_hw, 0, bottom, 0, right, cv2.BORDER_REPLICATE)
    return np.asarray(padded, np.uint8)
