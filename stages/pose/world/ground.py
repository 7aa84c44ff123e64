"""How high cameras are above the ground, in a world whose z axis points up."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

# Of RANSAC: enough where a fifth of the points below the cameras are ground.
TRIALS = 500
SEED = 0
# The ground is level to so much; cameras are held upright only roughly.
MAX_TILT_DEG = 40.0
# Of the cameras' height above it: how even the ground is, and how near it points must lie.
TOLERANCE = 0.03
# Of a plane that is believed: its points, and their part of those below the cameras.
MIN_POINTS = 20
MIN_SHARE = 0.1


def height_above_ground(points_n3: FloatArray, centres_m3: FloatArray) -> float | None:
    """Median distance of the cameras from the largest level plane below them, or None.

    M. Fischler, R. Bolles, "Random sample consensus", CACM 1981, then least squares.

    Args:
        points_n3: of the model, z up.
        centres_m3: of the cameras.
    """
    below_n3 = points_n3[points_n3[:, 2] < np.median(centres_m3[:, 2])]
    if len(below_n3) < MIN_POINTS:
        return None
    rng = np.random.default_rng(SEED)
    best_n = np.zeros(len(below_n3), bool)
    for _ in range(TRIALS):
        sample = below_n3[rng.choice(len(below_n3), 3, replace=False)]
        near_n = _near(below_n3, _plane_through(sample), centres_m3)
        if near_n.sum() > best_n.sum():
            best_n = near_n
    if best_n.sum() < max(MIN_POINTS, MIN_SHARE * len(below_n3)):
        return None
    normal_3, offset = _plane_through(below_n3[best_n])
    return float(np.median(centres_m3 @ normal_3 - offset))


def _plane_through(points_n3: FloatArray) -> tuple[FloatArray, float]:
    """Unit normal (3,), upwards, and offset of the plane of least squared distances."""
    centre_3 = points_n3.mean(axis=0)
    normal_3 = np.linalg.svd(points_n3 - centre_3)[2][-1]
    normal_3 = normal_3 if normal_3[2] >= 0 else -normal_3
    return normal_3, float(normal_3 @ centre_3)


def _near(
    points_n3: FloatArray, plane: tuple[FloatArray, float], centres_m3: FloatArray
) -> NDArray[np.bool_]:
    normal_3, offset = plane
    height = float(np.median(centres_m3 @ normal_3 - offset))
    if normal_3[2] < np.cos(np.radians(MAX_TILT_DEG)) or height <= 0:
        return np.zeros(len(points_n3), bool)
    return np.asarray(np.abs(points_n3 @ normal_3 - offset) <= TOLERANCE * height)
