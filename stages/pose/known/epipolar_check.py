"""Whether known poses agree with what the images show: distances from epipolar lines."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mvrecon.geometry.camera import Camera
from mvrecon.geometry.rigid import inverse_rigid
from mvrecon.geometry.triangulation import essential_matrix, sampson_distance
from stages.pose.matching.features import FeatureMatches, Pair

FloatArray = NDArray[np.float64]

# More pairs of matched frames tell no more, and are looked at for each focal length tried.
MAX_PAIRS = 300
# Of the median distance from the camera centres' median: nearer cameras share their centre.
SAME_CENTRE = 1e-6
# Other readings of the numbers that people give by mistake.
FLIP_YZ = np.diag([1.0, -1.0, -1.0, 1.0])
READINGS: Mapping[str, Callable[[FloatArray], FloatArray]] = {
    "cam_from_world": inverse_rigid,
    "camera axes as OpenGL's (y up, z backward)": lambda pose: pose @ FLIP_YZ,
}
# Factors on an assumed focal length, those of phones to those of telephoto lenses: the best of
# them, then the best of finer steps between its neighbours, to 0.1 %.
FOCAL_STEPS = np.geomspace(0.4, 2.5, 25)
FINER_STEPS = 13
FOCAL_ROUNDS = 3


@dataclass(frozen=True)
class PosedView:
    """A key frame with known intrinsics and pose.

    Attributes:
        camera: of the stored image.
        world_from_cam: (4, 4).
    """

    camera: Camera
    world_from_cam: FloatArray


Views = Mapping[int, PosedView]


def epipolar_error_px(features: FeatureMatches, views: Views, pair: Pair) -> FloatArray:
    """Distance (m,) of the matches of a pair from their epipolar lines.

    Returns:
        In pixels; empty if the cameras stand in the same place.
    """
    first, second = views[pair[0]], views[pair[1]]
    second_from_first = inverse_rigid(second.world_from_cam) @ first.world_from_cam
    if np.linalg.norm(second_from_first[:3, 3]) <= SAME_CENTRE * _extent(views):
        return np.zeros(0)
    xy_1, xy_2 = features.pixels(pair)
    distance = sampson_distance(
        essential_matrix(second_from_first),
        first.camera.normalize(xy_1),
        second.camera.normalize(xy_2),
    )
    return distance * 0.5 * (first.camera.fx + second.camera.fx)


def typical_error_px(features: FeatureMatches, views: Views) -> float:
    """Median over pairs of the median distance; infinite without matches."""
    medians = [
        float(np.median(error))
        for pair in _some_pairs(features, views)
        if len(error := epipolar_error_px(features, views, pair))
    ]
    return float(np.median(medians)) if medians else float("inf")


def unfit_views(features: FeatureMatches, views: Views, limit_px: float) -> list[int]:
    """Views that disagree with most of those they share matches with, in order."""
    errors_px: dict[int, list[float]] = {}
    for pair in features.matches:
        if pair[0] in views and pair[1] in views:
            error = epipolar_error_px(features, views, pair)
            for row in pair if len(error) else ():
                errors_px.setdefault(row, []).append(float(np.median(error)))
    return [row for row in sorted(errors_px) if np.median(errors_px[row]) > limit_px]


def better_reading(features: FeatureMatches, views: Views, limit_px: float) -> str:
    """Another reading of the poses under which they agree with the images, or ""."""
    for name, read in READINGS.items():
        other = {
            row: replace(view, world_from_cam=read(view.world_from_cam))
            for row, view in views.items()
        }
        if typical_error_px(features, other) <= limit_px:
            return name
    return ""


def fit_focal(features: FeatureMatches, views: Views) -> float:
    """Factor on the focal lengths under which the poses agree best with the matches."""
    factors: Sequence[float] = FOCAL_STEPS.tolist()
    best = 1.0
    for _ in range(FOCAL_ROUNDS):
        errors = [typical_error_px(features, zoom_views(views, factor)) for factor in factors]
        row = int(np.argmin(errors))
        best = factors[row]
        low, high = factors[max(row - 1, 0)], factors[min(row + 1, len(factors) - 1)]
        factors = np.geomspace(low, high, FINER_STEPS).tolist()
    return best


def zoom_views(views: Views, factor: float) -> dict[int, PosedView]:
    """The views with other focal lengths."""
    return {row: replace(view, camera=view.camera.zoomed(factor)) for row, view in views.items()}


def _some_pairs(features: FeatureMatches, views: Views) -> list[Pair]:
    pairs = sorted(pair for pair in features.matches if pair[0] in views and pair[1] in views)
    return pairs[:: -(-len(pairs) // MAX_PAIRS)] if pairs else []


def _extent(views: Views) -> float:
    centres_n3 = np.stack([view.world_from_cam[:3, 3] for view in views.values()])
    return float(np.linalg.norm(centres_n3 - np.median(centres_n3, axis=0), axis=1).max())
