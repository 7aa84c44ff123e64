"""Whether look-alike frames can be the same place, judged by a model made without them."""

from __future__ import annotations

import numpy as np

from mvrecon.formats.colmap.model import NO_POINT, ColmapImage, ColmapModel
from mvrecon.geometry.rigid import inverse_rigid, transform_points
from stages.pose.matching.features import FeatureMatches, Pair


def plausible_loops(
    model: ColmapModel, features: FeatureMatches, pairs: list[Pair], max_shift: float
) -> list[Pair]:
    """Pairs whose matches lie about where the model expects them.

    Each match takes the depth of the model's point that is nearest in the first image and is
    carried to the second. A repeated pattern fits locally but lies elsewhere.

    Args:
        model: whose image ids are those of `features`, from 1.
        features: holds the matches of the pairs.
        pairs: to judge.
        max_shift: median distance of the matches from there, in image widths: drift moves them
            a little, a look-alike wall much more.
    """
    images = {image.image_id - 1: image for image in model.images}
    return [
        pair
        for pair in pairs
        if pair in features.matches
        and pair[0] in images
        and pair[1] in images
        and _shift(model, images[pair[0]], images[pair[1]], features, pair) <= max_shift
    ]


def _shift(
    model: ColmapModel,
    first: ColmapImage,
    second: ColmapImage,
    features: FeatureMatches,
    pair: Pair,
) -> float:
    """Median distance of the matches from where they should be, in image widths."""
    seen = first.point_k != NO_POINT
    if not seen.any():
        return float("inf")
    camera_1, camera_2 = model.cameras[first.camera_id], model.cameras[second.camera_id]
    points_cam = transform_points(first.cam_from_world, model.xyz_n3[first.point_k[seen]])
    xy_1, xy_2 = features.pixels(pair)
    distance = ((xy_1[:, None] - first.xy_k2[seen][None]) ** 2).sum(axis=2)
    depth_m1 = points_cam[distance.argmin(axis=1), 2:3]
    second_from_first = second.cam_from_world @ inverse_rigid(first.cam_from_world)
    moved = transform_points(second_from_first, camera_1.rays(xy_1) * depth_m1)
    moved[:, 2] = np.maximum(moved[:, 2], 1e-6)
    shift_px = np.linalg.norm(camera_2.project(moved) - xy_2, axis=1)
    return float(np.median(shift_px)) / camera_2.width
