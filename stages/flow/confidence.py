"""How likely a flow vector is right, judged by the flow back, the images and their texture."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

FloatImage = NDArray[np.float32]

FEATURES = ("residual", "motion", "unevenness", "photometric", "texture")
# Logistic regression on pairs with true flow; `python -m benchmarks.tools.flow_confidence` fits it.
INTERCEPT = 2.63
WEIGHTS = np.array([-0.72, -0.30, -0.61, -0.85, 1.06], np.float32)

# Neighbourhoods of the features, as the fit has them.
PHOTOMETRIC_SIGMA_PX = 2.0
TEXTURE_SIGMA_PX = 1.5
UNEVENNESS_SIZE_PX = 5
# More texture than this, in grey levels of 0…1 per pixel, makes flow no surer.
ENOUGH_TEXTURE = 0.018
# Beyond what the pairs of the fit hold: blank areas, and images of different things.
NO_TEXTURE = 0.0005
NO_LIKENESS = 0.15
# Keep the logarithms finite: below these, in grey levels and in pixels, lies noise.
PHOTOMETRIC_FLOOR = 0.005
TEXTURE_FLOOR = 0.002
FLOW_FLOOR_PX = 0.05


def forward_backward_residual(
    forward_hw2: FloatImage, backward_hw2: FloatImage, stride: int = 1
) -> FloatImage:
    """Distance in pixels by which forward and then backward flow miss the start.

    Where the forward flow leaves the image, the flow at the border stands in. With a stride,
    of every so manieth pixel in x and y only.
    """
    returned_hw2 = warp_by_flow(backward_hw2, forward_hw2, stride)
    return _length(forward_hw2[::stride, ::stride] + returned_hw2)


def warp_by_flow(second: FloatImage, forward_hw2: FloatImage, stride: int = 1) -> FloatImage:
    """What the second image (or field) shows where each pixel of the first goes; bilinear."""
    height, width = forward_hw2.shape[:2]
    some_hw2 = forward_hw2[::stride, ::stride]
    map_x = some_hw2[..., 0] + np.arange(0, width, stride, dtype=np.float32)
    map_y = some_hw2[..., 1] + np.arange(0, height, stride, dtype=np.float32)[:, None]
    warped = cv2.remap(second, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(warped, np.float32)


def stays_inside(forward_hw2: FloatImage) -> NDArray[np.bool_]:
    """Where the flow ends inside the second image."""
    height, width = forward_hw2.shape[:2]
    x_hw = forward_hw2[..., 0] + np.arange(width, dtype=np.float32)
    y_hw = forward_hw2[..., 1] + np.arange(height, dtype=np.float32)[:, None]
    inside_hw: NDArray[np.bool_] = (
        (x_hw >= 0) & (x_hw <= width - 1) & (y_hw >= 0) & (y_hw <= height - 1)
    )
    return inside_hw


def flow_confidence(
    first_rgb_hw3: NDArray[np.uint8],
    second_rgb_hw3: NDArray[np.uint8],
    forward_hw2: FloatImage,
    backward_hw2: FloatImage,
) -> FloatImage:
    """Probability that the forward flow is right to a pixel.

    Args:
        first_rgb_hw3: image that the forward flow starts from.
        second_rgb_hw3: the other image, of equal size.
        forward_hw2: flow first → second, pixels.
        backward_hw2: flow second → first.

    Returns:
        (h, w) in 0…1; 0 where the flow leaves the second image.
    """
    features_fhw = confidence_features(first_rgb_hw3, second_rgb_hw3, forward_hw2, backward_hw2)
    # One weight after another: a product of matrices would start threads for so little.
    weighted = (weight * feature for weight, feature in zip(WEIGHTS, features_fhw, strict=True))
    logit_hw = sum(weighted, np.float32(INTERCEPT))
    probability_hw = _evidence(features_fhw) / (1 + np.exp(-logit_hw))
    return np.asarray(np.where(stays_inside(forward_hw2), probability_hw, 0), np.float32)


def confidence_features(
    first_rgb_hw3: NDArray[np.uint8],
    second_rgb_hw3: NDArray[np.uint8],
    forward_hw2: FloatImage,
    backward_hw2: FloatImage,
) -> FloatImage:
    """What the confidence is computed from, all as logarithms: (len(FEATURES), h, w).

    residual: forward–backward miss. motion: length of the flow, since long flow misses by
    more. unevenness: how much the flow varies nearby, high at motion boundaries.
    photometric: colour difference to the warped image, without its local mean, so that
    exposure does not count. texture: smaller eigenvalue of the structure tensor.
    """
    residual_hw = forward_backward_residual(forward_hw2, backward_hw2)
    first, second = _grey(first_rgb_hw3), _grey(second_rgb_hw3)
    features_fhw = np.stack(
        [
            np.log(residual_hw + FLOW_FLOOR_PX),
            np.log1p(_length(forward_hw2)),
            np.log(_local_range(forward_hw2) + FLOW_FLOOR_PX),
            np.log(_photometric_residual(first, second, forward_hw2) + PHOTOMETRIC_FLOOR),
            np.log(np.minimum(_texture(first), ENOUGH_TEXTURE) + TEXTURE_FLOOR),
        ]
    )
    return np.asarray(features_fhw, np.float32)


def _evidence(features_fhw: FloatImage) -> FloatImage:
    """Factor in 0…1: near 1, but 0 without any texture and for images that do not match.

    There the flow back agrees for want of any evidence, which no pair with truth teaches.
    """
    photometric_hw = np.exp(features_fhw[FEATURES.index("photometric")]) - PHOTOMETRIC_FLOOR
    texture_hw = np.exp(features_fhw[FEATURES.index("texture")]) - TEXTURE_FLOOR
    likeness_hw = 1 / (1 + (photometric_hw / NO_LIKENESS) ** 2)
    return np.asarray(likeness_hw * texture_hw**2 / (texture_hw**2 + NO_TEXTURE**2), np.float32)


def _grey(rgb_hw3: NDArray[np.uint8]) -> FloatImage:
    return np.asarray(cv2.cvtColor(rgb_hw3, cv2.COLOR_RGB2GRAY), np.float32) / np.float32(255)


def _length(vectors_hw2: FloatImage) -> FloatImage:
    return np.asarray(cv2.magnitude(*cv2.split(vectors_hw2)), np.float32)


def _local_range(flow_hw2: FloatImage) -> FloatImage:
    """Largest minus smallest flow in a small window, the larger of the components."""
    window = np.ones((UNEVENNESS_SIZE_PX, UNEVENNESS_SIZE_PX), np.uint8)
    ranges = [
        np.asarray(cv2.dilate(part_hw, window) - cv2.erode(part_hw, window), np.float32)
        for part_hw in cv2.split(flow_hw2)
    ]
    return np.maximum(*ranges)


def _photometric_residual(
    first_hw: FloatImage, second_hw: FloatImage, forward_hw2: FloatImage
) -> FloatImage:
    difference_hw = first_hw - warp_by_flow(second_hw, forward_hw2)
    centred_hw = difference_hw - cv2.GaussianBlur(difference_hw, (0, 0), 4 * PHOTOMETRIC_SIGMA_PX)
    squared_hw = cv2.GaussianBlur(centred_hw**2, (0, 0), PHOTOMETRIC_SIGMA_PX)
    return np.asarray(np.sqrt(squared_hw), np.float32)


def _texture(grey_hw: FloatImage) -> FloatImage:
    """Square root of the structure tensor's smaller eigenvalue, grey levels per pixel."""
    dx = cv2.Scharr(grey_hw, cv2.CV_32F, 1, 0, scale=1 / 32)
    dy = cv2.Scharr(grey_hw, cv2.CV_32F, 0, 1, scale=1 / 32)
    xx, xy, yy = (
        cv2.GaussianBlur(p, (0, 0), TEXTURE_SIGMA_PX) for p in (dx * dx, dx * dy, dy * dy)
    )
    smaller_hw = (xx + yy) / 2 - np.sqrt(((xx - yy) / 2) ** 2 + xy**2)
    return np.asarray(np.sqrt(np.maximum(smaller_hw, 0)), np.float32)
