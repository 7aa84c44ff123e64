"""Whether pictures are those of a fisheye, told by their matches alone.

Two views of points at rest obey r₂ᵀ F r₁ = 0, r being the rays that pixels show. Of an equidistant
fisheye they lie as many radians off the axis as their pixels lie focal lengths off the centre; the
wider its field is taken to be, the more bent. F leaves free all that is linear, a flat picture's
focal length too, so that only how lines are bent decides, as in A. Fitzgibbon, Simultaneous linear
estimation of multiple view geometry and lens distortion, CVPR 2001.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mvrecon.artifacts.frames import FrameTable
from stages.pose.colmap import SEED
from stages.pose.matching.features import FeatureMatches, Pair

FloatArray = NDArray[np.float64]

# Fields that are tried [degrees along the longer side]; the first is as good as flat, in the last
# 180° are a circle within a frame of 16:9.
FLAT_DEG = 5.0
TRIED_DEG = np.arange(60.0, 341.0, 20.0)
STEPS_DEG = (10.0, 5.0, 2.0, 1.0)
# Below, terms of radial distortion describe a fisheye as well.
LEAST_DEG = 100.0
# Of the robust cost, what a fisheye saves if it is one: rendered ones of 120° and 150° about half,
# ordinary lenses nothing.
LEAST_GAIN = 0.25
# The pairs with the widest motion tell most; they need so many matches.
MAX_PAIRS = 12
MIN_MATCHES = 80
# Error at which a match has lost half its weight, as a part of the longer side; and at least.
ERROR = 0.001
LEAST_ERROR_PX = 0.05
# Wrong matches are left out first, under one of these fields [degrees]: farther off than so many
# deviations from the best geometry of so many samples of eight.
ROUGH_DEG = (FLAT_DEG, 120.0, 180.0)
SAMPLES, SAMPLE = 48, 8
OUTLIER = 4.0
# Of reweighting, after which what is off a little counts less.
ROUNDS = 8
# From the median of absolute errors to their deviation, if they are normal.
DEVIATION = 1.4826


def find_fisheye(table: FrameTable, features: FeatureMatches) -> float | None:
    """As `fisheye_field_deg`; None where frames are of several cameras, a known one, or views."""
    cameras = {frame.camera for frame in table.key_frames}
    if len(cameras) > 1 or any(part.view is not None for part in table.parts):
        return None
    prior = table.cameras[cameras.pop()]
    if prior.source == "given":
        return None
    return fisheye_field_deg(features, (prior.camera.width, prior.camera.height))


def fisheye_field_deg(features: FeatureMatches, size: tuple[int, int]) -> float | None:
    """Field across the width of the fisheye that matches are of, in degrees.

    Args:
        features: matches of pictures from one lens, its axis in their middle.
        size: width and height of the pictures.

    Returns:
        The field; None if they are flat, bent a little, or tell nothing.
    """
    pairs = _widest_pairs(features)
    if not pairs:
        return None
    centre_2 = (np.array(size) - 1.0) / 2.0
    longest_px = max(size)
    pixels = (features.pixels(pair) for pair in pairs)
    matches = [
        _without_outliers(xy_1 - centre_2, xy_2 - centre_2, longest_px) for xy_1, xy_2 in pixels
    ]

    def cost(field_deg: float) -> float:
        focal_px = longest_px / np.radians(field_deg)
        errors = (epipolar_errors_px(xy_1, xy_2, focal_px) for xy_1, xy_2 in matches)
        return float(np.mean([np.mean(np.log1p((e / (ERROR * longest_px)) ** 2)) for e in errors]))

    found_deg = min(TRIED_DEG, key=cost)
    if found_deg == TRIED_DEG[0]:
        return None
    for step_deg in STEPS_DEG:
        found_deg = min((found_deg - step_deg, found_deg, found_deg + step_deg), key=cost)
    if found_deg < LEAST_DEG or cost(found_deg) > (1.0 - LEAST_GAIN) * cost(FLAT_DEG):
        return None
    return float(found_deg * size[0] / longest_px)


def epipolar_errors_px(xy_1: FloatArray, xy_2: FloatArray, focal_px: float) -> FloatArray:
    """Distances (n,) of matches from the best epipolar geometry of an equidistant fisheye.

    To first order (P. Sampson, 1982), in pixels of the pictures as they are.

    Args:
        xy_1: pixels (n, 2) off the centre of the first picture, at least eight.
        xy_2: those of the second.
        focal_px: pixels for each radian off the axis.
    """
    pair = _PairOfRays(xy_1, xy_2, focal_px)
    weight_n = error_n = np.ones(len(xy_1))
    for _ in range(ROUNDS):
        weighted_n9 = pair.products_n9 * weight_n[:, None]
        error_n, slope_n = pair.errors_px(np.linalg.eigh(weighted_n9.T @ weighted_n9)[1][:, 0])
        weight_n = 1.0 / slope_n / np.sqrt(1.0 + (error_n / _deviation_px(error_n)) ** 2)
    return error_n


def _without_outliers(
    xy_1: FloatArray, xy_2: FloatArray, longest_px: int
) -> tuple[FloatArray, FloatArray]:
    """Least median of squares (P. Rousseeuw, 1984), whatever the lens may be."""
    rows_sk = np.random.default_rng(SEED).integers(len(xy_1), size=(SAMPLES, SAMPLE))
    best_n = np.full(len(xy_1), np.inf)
    for field_deg in ROUGH_DEG:
        pair = _PairOfRays(xy_1, xy_2, longest_px / np.radians(field_deg))
        for f_9 in np.linalg.svd(pair.products_n9[rows_sk])[2][:, -1]:
            error_n, _ = pair.errors_px(f_9)
            best_n = min(best_n, error_n, key=np.median)
    good_n = best_n <= OUTLIER * _deviation_px(best_n)
    return xy_1[good_n], xy_2[good_n]


def _deviation_px(error_n: FloatArray) -> float:
    return max(DEVIATION * float(np.median(error_n)), LEAST_ERROR_PX)


class _PairOfRays:
    """What matches show through a fisheye.

    Attributes:
        products_n9: of the rays' coordinates; times the entries of F they are 0.
    """

    def __init__(self, xy_1: FloatArray, xy_2: FloatArray, focal_px: float) -> None:
        self._first, self._second = _rays(xy_1, focal_px), _rays(xy_2, focal_px)
        # The narrower the field, the more are rays stretched, so that all unknowns are of a size.
        units_3 = np.array([1.0, 1.0, float(np.mean(np.abs([xy_1, xy_2]))) / focal_px])
        self._units_33 = np.outer(units_3, units_3)
        products_n33 = np.einsum("ni,nj->nij", self._second.ray_n3, self._first.ray_n3)
        self.products_n9 = (products_n33 * self._units_33).reshape(-1, 9)

    def errors_px(self, f_9: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Distances from the epipolar geometry (n,), and what they were divided by."""
        f_33 = f_9.reshape(3, 3) * self._units_33
        by_second_n3 = self._second.ray_n3 @ f_33
        off_n = np.einsum("ni,ni->n", by_second_n3, self._first.ray_n3)
        by_first_n3 = self._first.ray_n3 @ f_33.T
        slope_n = np.hypot(self._first.slopes(by_second_n3), self._second.slopes(by_first_n3))
        slope_n = np.maximum(slope_n, 1e-12)
        return np.abs(off_n) / slope_n, slope_n


def _widest_pairs(features: FeatureMatches) -> list[Pair]:
    """Each picture with the last one that it has many matches with, some of these, evenly."""
    widest: dict[int, int] = {}
    for (first, second), rows in features.matches.items():
        if len(rows) >= MIN_MATCHES:
            widest[first] = max(second, widest.get(first, 0))
    pairs = sorted(widest.items())
    return pairs[:: -(-len(pairs) // MAX_PAIRS)] if pairs else []


class _Rays(NamedTuple):
    """Rays (n, 3) of length 1, and how they change when their pixel moves outwards and aside."""

    ray_n3: FloatArray
    outwards_n3: FloatArray
    aside_n3: FloatArray

    def slopes(self, plane_n3: FloatArray) -> FloatArray:
        """How fast the product with a plane's normal changes, for each pixel."""
        outwards_n = np.einsum("ni,ni->n", plane_n3, self.outwards_n3)
        aside_n = np.einsum("ni,ni->n", plane_n3, self.aside_n3)
        return np.asarray(np.hypot(outwards_n, aside_n))


def _rays(xy_n2: FloatArray, focal_px: float) -> _Rays:
    off_px_n = np.linalg.norm(xy_n2, axis=1)
    off_rad_n1 = (off_px_n / focal_px)[:, None]
    way_n2 = xy_n2 / np.maximum(off_px_n, 1e-9)[:, None]
    sine_n1, cosine_n1 = np.sin(off_rad_n1), np.cos(off_rad_n1)
    aside_n3 = np.column_stack([-way_n2[:, 1], way_n2[:, 0], np.zeros(len(xy_n2))])
    return _Rays(
        np.hstack([sine_n1 * way_n2, cosine_n1]),
        np.hstack([cosine_n1 * way_n2, -sine_n1]) / focal_px,
        aside_n3 * np.sinc(off_rad_n1 / np.pi) / focal_px,
    )
