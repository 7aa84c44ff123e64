"""The world that poses are given in when nothing fixes it, the same for a model; its ground."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mvrecon.formats.colmap.model import ColmapModel
from mvrecon.geometry.rigid import inverse_rigid
from mvrecon.geometry.similarity import Similarity

FloatArray = NDArray[np.float64]

# Mean of the cameras' y axes: shorter, they look in all directions and tell no up.
LEAST_UP = 1e-3
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


def normal_world(model: ColmapModel) -> Similarity:
    """The similarity from the model's world to the normal one.

    The normal world has its origin at the median of the points; z up, against the mean of
    the cameras' y axes (images are upright); y along the first camera's heading; and its unit
    is the median distance of the points from the cameras that see them.
    """
    world_from_cam = inverse_rigid(np.stack([image.cam_from_world for image in model.images]))
    rotation_33 = _upright(world_from_cam[:, :3, :3])
    point_m, image_m, _ = model.observations()
    distance_m = np.linalg.norm(model.xyz_n3[point_m] - world_from_cam[image_m, :3, 3], axis=1)
    scale = 1.0 / float(np.median(distance_m))
    origin_3 = np.median(model.xyz_n3 @ rotation_33.T, axis=0)
    return Similarity(scale, rotation_33, -scale * origin_3)


def move_model(model: ColmapModel, similarity: Similarity) -> ColmapModel:
    """The same model in another world."""
    images = []
    for image in model.images:
        world_from_cam = similarity.apply_to_pose(inverse_rigid(image.cam_from_world))
        images.append(replace(image, cam_from_world=inverse_rigid(world_from_cam)))
    return replace(model, images=tuple(images), xyz_n3=similarity.apply(model.xyz_n3))


def _upright(rotations_n33: FloatArray) -> FloatArray:
    """Rotation (3, 3) to axes x right, y ahead, z up, from world_from_cam rotations."""
    up_3 = -rotations_n33[:, :, 1].mean(axis=0)
    if np.linalg.norm(up_3) < LEAST_UP:
        up_3 = -rotations_n33[0, :, 1]
    up_3 = up_3 / np.linalg.norm(up_3)
    # The camera's own up stands in for its heading if it looks straight up or down.
    first_33 = rotations_n33[0]
    ahead_3 = max(
        (axis - (axis @ up_3) * up_3 for axis in (first_33[:, 2], -first_33[:, 1])),
        key=lambda axis: float(np.linalg.norm(axis)),
    )
    ahead_3 = ahead_3 / np.linalg.norm(ahead_3)
    return np.stack([np.cross(ahead_3, up_3), ahead_3, up_3])


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
