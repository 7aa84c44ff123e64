"""Whether the camera moves, only turns or stands still: there is no depth without parallax."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mvrecon.errors import NotEnoughDataError
from stages.pose.matching.features import FeatureMatches

FloatArray = NDArray[np.float64]
CameraMotion = Literal["none", "static", "rotation", "moving"]

# Both as parts of the longer image side, but never below the noise of a match.
STATIC_SHIFT = 0.003
ROTATION_RESIDUAL = 0.002
NOISE_PX = 1.0
# Of the matches of a pair: up to a fifth may lie on moving things, or be wrong.
QUANTILE = 0.8
# The camera moves if more than this part of the pairs shows it.
MOVING_PART = 0.05
# Focal lengths under which a rotation is sought [longer image sides]: of wide to long lenses.
FOCAL_FACTORS = (0.5, 0.65, 0.8, 1.0, 1.25, 1.6, 2.2, 3.0)
# Each leaves out the matches that the rotation before it explained worst.
ROBUST_ROUNDS = 3
# More pairs tell no more.
MAX_PAIRS = 200


def camera_motion(features: FeatureMatches, size: tuple[int, int]) -> CameraMotion:
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
    kinds = [pair_motion(*features.pixels(pair), size) for pair in pairs]
    if np.mean([kind == "moving" for kind in kinds]) > MOVING_PART:
        return "moving"
    return "static" if all(kind == "static" for kind in kinds) else "rotation"


def refuse_still_camera(motion: CameraMotion) -> None:
    """Stop before mapping what cannot be mapped.

    Raises:
        NotEnoughDataError: there are no matches, or the camera stands still or only turns.
    """
    if motion == "none":
        raise NotEnoughDataError(
            "no two frames overlap enough to be matched",
            "Film or photograph with more overlap, in better light, or keep more frames",
        )
    if motion == "static":
        raise NotEnoughDataError(
            "the camera does not move (static camera), so there is no parallax",
            "Walk sideways round the scene while you film",
        )
    if motion == "rotation":
        raise NotEnoughDataError(
            "the camera only turns on the spot (pure rotation), so there is no parallax",
            "Move the camera sideways while you film, instead of panning",
        )


def pair_motion(xy_1: FloatArray, xy_2: FloatArray, size: tuple[int, int]) -> CameraMotion:
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
