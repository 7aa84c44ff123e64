"""What kind of camera motion the matches show, before anything is mapped."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from stages.pose.matching.problem import FeatureMatches

FloatArray = NDArray[np.float64]
Motion = Literal["none", "static", "rotation", "moving"]

# Both as parts of the longer image side, but never below the noise of a match.
STATIC_SHIFT = 0.003
ROTATION_RESIDUAL = 0.002
NOISE_PX = 1.0
QUANTILE = 0.8
# The camera moves if more than this part of the pairs shows it.
MOVING_PART = 0.05
FOCAL_FACTORS = (0.5, 0.65, 0.8, 1.0, 1.25, 1.6, 2.2, 3.0)
ROBUST_ROUNDS = 3
MAX_PAIRS = 200


def classify_motion(features: FeatureMatches, size: tuple[int, int]) -> Motion:
    """Whether there are matches at all, and whether the camera moves, or only turns.

    Each image is compared with the last one that it has matches with: there the parallax is
    largest.

    Args:
        features: matches of all images.
        size: width and height of the images.
    """
    widest: dict[int, int] = {}
    for first, second in features.matches:
        widest[first] = max(second, widest.get(first, 0))
    pairs = sorted(widest.items())
    if not pairs:
        return "none"
    pairs = pairs[:: -(-len(pairs) // MAX_PAIRS)]
    kinds = [pair_motion(*_pixels(features, pair), size) for pair in pairs]
    if np.mean([kind == "moving" for kind in kinds]) > MOVING_PART:
        return "moving"
    return "static" if all(kind == "static" for kind in kinds) else "rotation"


def _pixels(features: FeatureMatches, pair: tuple[int, int]) -> tuple[FloatArray, FloatArray]:
    rows = features.matches[pair]
    return (
        features.keypoints[pair[0]][rows[:, 0]].astype(np.float64),
        features.keypoints[pair[1]][rows[:, 1]].astype(np.float64),
    )


def pair_motion(xy_1: FloatArray, xy_2: FloatArray, size: tuple[int, int]) -> Motion:
    """What corresponding pixels (n, 2) of two images of a size (width, height) show."""
    side_px = max(size)
    if np.quantile(np.linalg.norm(xy_2 - xy_1, axis=1), QUANTILE) < max(
        STATIC_SHIFT * side_px, NOISE_PX
    ):
        return "static"
    centre_2 = (np.array(size) - 1.0) / 2.0
    residual_px = min(
        rotation_residual_px(xy_1 - centre_2, xy_2 - centre_2, factor * side_px)
        for factor in FOCAL_FACTORS
    )
    return "rotation" if residual_px < max(ROTATION_RESIDUAL * side_px, NOISE_PX) else "moving"


def rotation_residual_px(xy_1: FloatArray, xy_2: FloatArray, focal_px: float) -> float:
    """How badly a rotation about the centre explains matches: a quantile of the residuals.

    Args:
        xy_1: pixels (n, 2) from the principal point of the first image.
        xy_2: those of the second.
        focal_px: of both.
    """
    rays_1, rays_2 = (_rays(xy, focal_px) for xy in (xy_1, xy_2))
    kept = np.ones(len(rays_1), bool)
    residual_n: FloatArray = np.zeros(len(rays_1))
    for _ in range(ROBUST_ROUNDS):
        rotation_33 = _best_rotation(rays_1[kept], rays_2[kept])
        turned = rays_1 @ rotation_33.T
        depth_n1 = np.maximum(turned[:, 2:], 1e-3)
        residual_n = np.linalg.norm(turned[:, :2] / depth_n1 * focal_px - xy_2, axis=1)
        kept = residual_n <= np.quantile(residual_n, QUANTILE)
    return float(np.quantile(residual_n, QUANTILE))


def _rays(xy_n2: FloatArray, focal_px: float) -> FloatArray:
    rays = np.column_stack([xy_n2, np.full(len(xy_n2), focal_px)])
    return np.asarray(rays / np.linalg.norm(rays, axis=1, keepdims=True))


def _best_rotation(rays_1: FloatArray, rays_2: FloatArray) -> FloatArray:
    """W. Kabsch, Acta Crystallographica A 32, 1976."""
    u_33, _, vt_33 = np.linalg.svd(rays_2.T @ rays_1)
    signs_3: Sequence[float] = (1.0, 1.0, float(np.sign(np.linalg.det(u_33 @ vt_33))))
    return np.asarray((u_33 * signs_3) @ vt_33)
