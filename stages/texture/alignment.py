"""How far a photograph shows the surface beside where its camera says.

Poses and depth are inexact by a pixel or two, which would blur what several views paint. The
colours that all views gave the vertices are seen from each view and compared with its photograph
by optical flow (Eisemann et al., "Floating textures", Eurographics 2008).
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

DETAIL_PX = 8.0  # brightness is compared with its mean over about so far: exposures differ
MAX_SHIFT = 0.012  # of the image's longer side: what seems farther off is something else
SMOOTH_PX = 5.0  # errors of pose and depth vary slowly
CONTRAST = 2.0


def image_shift(
    rendered_hw3: NDArray[np.uint8], photo_hw3: NDArray[np.uint8], seen_hw: NDArray[np.bool_]
) -> Array:
    """Displacement (h, w, 2) from the surface's place in the image to where it is photographed.

    Args:
        rendered_hw3: the surface with its vertices' colours.
        photo_hw3: of the same size.
        seen_hw: where the surface is seen.
    """
    photo_hw3 = np.where(seen_hw[..., None], photo_hw3, 0).astype(np.uint8)
    flow_hw2 = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST).calc(
        _detail(rendered_hw3), _detail(photo_hw3), np.zeros((*seen_hw.shape, 2), np.float32)
    )
    limit_px = MAX_SHIFT * max(seen_hw.shape)
    good_hw = seen_hw & (np.linalg.norm(flow_hw2, axis=2) < limit_px)
    weight_hw = cv2.GaussianBlur(good_hw.astype(np.float32), (0, 0), SMOOTH_PX)
    mean_hw2 = cv2.GaussianBlur(flow_hw2 * good_hw[..., None], (0, 0), SMOOTH_PX)
    return np.asarray(mean_hw2 / np.maximum(weight_hw, 0.1)[..., None], np.float32)


def _detail(rgb_hw3: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Brightness (h, w) less its mean round about, about grey."""
    grey_hw = cv2.cvtColor(rgb_hw3, cv2.COLOR_RGB2GRAY).astype(np.float32)
    detail_hw = CONTRAST * (grey_hw - cv2.GaussianBlur(grey_hw, (0, 0), DETAIL_PX))
    return np.asarray(np.clip(detail_hw + 128.0, 0.0, 255.0), np.uint8)
