"""Where flow takes points, and whether it can be trusted there."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mvrecon.artifacts.flow import FlowPair
from mvrecon.geometry.sampling import inside, rescale_pixels, sample_bilinear
from stages.pose.options import TrackOptions
from stages.pose.tracks.track_table import FloatArray


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
    good_n &= np.linalg.norm(back_n2 - start_n2, axis=1) <= options.max_round_trip
    for confidence_hw, at_n2 in (
        (pair.forward_confidence_hw, start_n2),
        (pair.backward_confidence_hw, end_n2),
    ):
        good_n &= sample_bilinear(confidence_hw, at_n2) >= options.min_flow_confidence
    return rescale_pixels(end_n2, 1.0 / scale_2).astype(np.float32), good_n
