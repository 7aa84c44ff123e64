"""A model placed by where its photos say that they were taken."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mvrecon.geometry.geodesy import local_from_geodetic
from mvrecon.geometry.similarity import Similarity, align_similarity

FloatArray = NDArray[np.float64]

# Fewer always agree.
MIN_PHOTOS = 3
# Positions that disagree with the model by more than this part of their own extent say
# nothing about its scale.
MAX_RESIDUAL = 0.2
# Below this ratio of their second to their first extent positions are a line, which
# leaves the rotation about it open.
MIN_WIDTH = 0.1
# Positions farther off than so many times the median are left out, in so many rounds.
OUTLIER = 3.0
ROUNDS = 4


@dataclass(frozen=True)
class PositionFit:
    """How a model fits positions.

    Attributes:
        similarity: to east, north, up in metres; None if the positions are of no use.
        residual_m: median distance of the cameras from their positions.
        reason: why they are of no use.
    """

    similarity: Similarity | None
    residual_m: float = 0.0
    reason: str = ""


def align_to_positions(centres_n3: FloatArray, geodetic_n3: FloatArray) -> PositionFit:
    """Fit cameras to positions, leaving out the positions that are far off.

    Args:
        centres_n3: of the cameras, in a world whose z axis points up.
        geodetic_n3: latitude and longitude [degrees], altitude [m] of the same photos.
    """
    if len(centres_n3) < MIN_PHOTOS:
        return PositionFit(None, reason=f"only {len(centres_n3)} posed photos have one")
    local_n3 = local_from_geodetic(geodetic_n3)
    extent_m = float(np.median(np.linalg.norm(local_n3 - np.median(local_n3, axis=0), axis=1)))
    if extent_m == 0:
        return PositionFit(None, reason="they are all the same")
    kept = np.ones(len(local_n3), bool)
    for _ in range(ROUNDS):
        similarity = _fit(centres_n3[kept], local_n3[kept])
        residual_m_n = np.linalg.norm(similarity.apply(centres_n3) - local_n3, axis=1)
        kept = residual_m_n <= OUTLIER * max(float(np.median(residual_m_n)), 1e-9 * extent_m)
    residual_m = float(np.median(residual_m_n))
    if residual_m > MAX_RESIDUAL * extent_m:
        return PositionFit(
            None,
            residual_m,
            f"they lie {extent_m:.1f} m round their middle, but {residual_m:.1f} m from where"
            " the cameras would be",
        )
    return PositionFit(similarity, residual_m)


def _fit(centres_n3: FloatArray, local_n3: FloatArray) -> Similarity:
    """The similarity, or one about the upright axis if the cameras stand in a line."""
    extent_3 = np.linalg.svd(centres_n3 - centres_n3.mean(axis=0), compute_uv=False)
    if extent_3[1] >= MIN_WIDTH * extent_3[0]:
        return align_similarity(centres_n3, local_n3)
    source_n2 = (centres_n3 - centres_n3.mean(axis=0))[:, :2]
    target_n2 = (local_n3 - local_n3.mean(axis=0))[:, :2]
    dot = float((source_n2 * target_n2).sum())
    cross = float((source_n2[:, 0] * target_n2[:, 1] - source_n2[:, 1] * target_n2[:, 0]).sum())
    yaw = np.arctan2(cross, dot)
    scale = float(np.hypot(dot, cross)) / max(float((source_n2**2).sum()), 1e-300)
    rotation_33 = np.array(
        [[np.cos(yaw), -np.sin(yaw), 0.0], [np.sin(yaw), np.cos(yaw), 0.0], [0.0, 0.0, 1.0]]
    )
    mean_3 = centres_n3.mean(axis=0)
    return Similarity(scale, rotation_33, local_n3.mean(axis=0) - scale * rotation_33 @ mean_3)
