"""Where flow takes points, and whether it can be trusted there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mvrecon.artifacts.flow import FlowPair
from mvrecon.geometry.sampling import inside, rescale_pixels, sample_bilinear
from stages.pose.tracks.tracks import FloatArray


@dataclass(frozen=True)
class TrackOptions:
    """How tracks are made; the lengths in pixels are those of the flow's size.

    Attributes:
        per_frame: tracks wanted in a frame.
        min_confidence: of the flow at a point.
        max_forward_backward_px: distance after going there and back.
        max_disagreement_px: between the chain and the direct flow of a longer pair.
        min_length: observations of a track that is kept.
    """

    per_frame: int = 500
    min_confidence: float = 0.3
    max_forward_backward_px: float = 1.0
    max_disagreement_px: float = 2.0
    min_length: int = 3


def follow_flow(
    pair: FlowPair, xy_n2: FloatArray, size: tuple[int, int], options: TrackOptions
) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Where points of the first image go.

    Args:
        pair: flow at a size that may differ from the image's.
        xy_n2: pixels of the first image.
        size: width and height of the images.
        options: thresholds.

    Returns:
        Pixels (n, 2) of the second image, and which of them can be trusted: inside,
        confident both ways, and back where they started.
    """
    height, width = pair.forward_hw2.shape[:2]
    scale_2 = np.array([width / size[0], height / size[1]])
    start_n2 = rescale_pixels(xy_n2, scale_2)
    end_n2 = start_n2 + sample_bilinear(pair.forward_hw2, start_n2)
    back_n2 = end_n2 + sample_bilinear(pair.backward_hw2, end_n2)
    good_n = inside(end_n2, width, height)
    good_n &= np.linalg.norm(back_n2 - start_n2, axis=1) <= options.max_forward_backward_px
    for confidence_hw, at_n2 in (
        (pair.forward_confidence_hw, start_n2),
        (pair.backward_confidence_hw, end_n2),
    ):
        good_n &= sample_bilinear(confidence_hw, at_n2) >= options.min_confidence
    return rescale_pixels(end_n2, 1.0 / scale_2).astype(np.float32), good_n
