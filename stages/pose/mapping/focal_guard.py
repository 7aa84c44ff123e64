"""Keeps a focal length that the images do not show from straying: only for a child process.

Motion along a line in front of a wall, for example, fits every focal length equally well;
bundle adjustment then ends anywhere.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pycolmap

# A focal length this far from its prior has to fit better than the prior, one that no usual
# lens has clearly better. Measured, of the robust cost: the prior costs a fiftieth of a per
# cent more where the images tell nothing, half a per cent in forward motion, which tells
# little, and twice as much where they tell it.
MAX_COST_RATIO = {1.3: 1.001, 1.8: 1.02}


def prior_focals(database_path: Path) -> dict[int, float]:
    """Focal length [px] of each camera id as it was before mapping."""
    import pycolmap

    with pycolmap.Database.open(database_path) as database:
        return {
            camera.camera_id: camera.mean_focal_length() for camera in database.read_all_cameras()
        }


def cost_ratio_allowed(model: pycolmap.Reconstruction, priors: Mapping[int, float]) -> float:
    """How much worse the prior focal lengths may fit and still be taken; 0 if they need not."""
    stray = max(
        abs(math.log(model.camera(camera_id).mean_focal_length() / priors[camera_id]))
        for camera_id in _used(model)
    )
    allowed = [ratio for factor, ratio in MAX_COST_RATIO.items() if stray > math.log(factor)]
    return max(allowed, default=0.0)


def assume_focals(
    model: pycolmap.Reconstruction, priors: Mapping[int, float]
) -> pycolmap.Reconstruction:
    """A copy with the prior focal lengths, stretched along the view so that it fits nearly.

    Seen from afar, a longer focal length and a deeper scene look the same.
    """
    import pycolmap

    assumed = pycolmap.Reconstruction(model)
    ratios = []
    for camera_id in _used(assumed):
        camera = assumed.camera(camera_id)
        ratio = priors[camera_id] / camera.mean_focal_length()
        for index in camera.focal_length_idxs():
            parameters = np.array(camera.params)
            parameters[index] *= ratio
            camera.params = parameters.tolist()
        ratios.append(ratio)
    stretch = float(np.median(ratios))
    images = [assumed.image(image_id) for image_id in assumed.reg_image_ids()]
    mean_3 = np.mean([image.viewing_direction() for image in images], axis=0)
    axis_3 = mean_3 / max(float(np.linalg.norm(mean_3)), 1e-9)
    stretch_33 = np.eye(3) + (stretch - 1.0) * np.outer(axis_3, axis_3)
    for image in images:
        cam_from_world = image.cam_from_world()
        centre_3 = stretch_33 @ image.projection_center()
        translation_3 = -(cam_from_world.rotation.matrix() @ centre_3)
        frame = assumed.frame(image.frame_id)
        moved = pycolmap.Rigid3d(cam_from_world.rotation, translation_3)
        frame.set_cam_from_world(image.camera_id, moved)
    for point in assumed.points3D.values():
        point.xyz = np.asarray(stretch_33 @ point.xyz)
    return assumed


def _used(model: pycolmap.Reconstruction) -> list[int]:
    return sorted({model.image(image_id).camera_id for image_id in model.reg_image_ids()})
