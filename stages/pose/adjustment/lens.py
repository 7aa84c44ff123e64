"""The adjustment of a model that got more observations, and its lens: only for a child process."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from stages.pose.adjustment.cameras import SECOND_TERM_GAIN
from stages.pose.colmap import quieten
from stages.pose.mapping.mapper import MapperSettings, adjust_robustly

if TYPE_CHECKING:
    import pycolmap

# From the middle of the picture to its corner the image of a ray keeps moving outwards, at least
# at this share of the speed that it has in the middle.
LEAST_SPREAD = 0.3
RADII = 32
# Adjustment ends at steps that lower the cost by less than this part of it: before outliers and
# terms are told, and then.
ROUGH_TOLERANCE = 1e-3
TOLERANCE = 1e-5


def adjust_found(folder: Path, settings: MapperSettings, max_off_px: float) -> Path:
    """Adjust, leave out what is off, adjust again; with a second term of distortion if it is there.

    Args:
        folder: of a model; it is written back.
        settings: of the robust adjustment; only where all focal lengths may change, cameras get a
            second term.
        max_off_px: errors that are not outliers, after a first adjustment.

    Returns:
        The folder.
    """
    import pycolmap

    quieten()
    model = pycolmap.Reconstruction(folder)
    if not settings.fixed_cameras:
        _set_terms(model, 1)
    adjust_robustly(model, settings, ROUGH_TOLERANCE)
    pycolmap.ObservationManager(model).filter_all_points3D(max_off_px, settings.min_angle_deg)
    if settings.refine_focal and not settings.fixed_cameras:
        model = _with_fitting_terms(model, settings)
    adjust_robustly(model, settings, TOLERANCE)
    pycolmap.ObservationManager(model).filter_observations_with_negative_depth()
    model.update_point_3d_errors()
    model.write_binary(folder)
    return folder


def _with_fitting_terms(
    model: pycolmap.Reconstruction, settings: MapperSettings
) -> pycolmap.Reconstruction:
    """The model as it is, or with a second term of distortion, adjusted a little."""
    import pycolmap

    bent = pycolmap.Reconstruction(model)
    _set_terms(bent, 2)
    cost, bent_cost = (adjust_robustly(one, settings, ROUGH_TOLERANCE) for one in (model, bent))
    return bent if bent_cost < (1.0 - SECOND_TERM_GAIN) * cost and _is_lens(bent) else model


def _set_terms(model: pycolmap.Reconstruction, terms: int) -> None:
    """Give the cameras one focal length and so many terms of radial distortion."""
    import pycolmap

    names = {1: pycolmap.CameraModelId.SIMPLE_RADIAL, 2: pycolmap.CameraModelId.RADIAL}
    for camera in model.cameras.values():
        matrix_33 = camera.calibration_matrix()
        extra = [camera.params[index] for index in camera.extra_params_idxs()] + [0.0, 0.0]
        camera.model = names[terms]
        camera.params = [matrix_33[0, 0], matrix_33[0, 2], matrix_33[1, 2], *extra[:terms]]


def _is_lens(model: pycolmap.Reconstruction) -> bool:
    """Whether no part of the picture is folded by the distortion."""
    for camera in model.cameras.values():
        k1, k2 = (camera.params[index] for index in camera.extra_params_idxs())
        corner = np.hypot(camera.width, camera.height) / 2 / camera.mean_focal_length()
        squared_r = np.linspace(0.0, corner, RADII) ** 2
        if np.min(1.0 + 3.0 * k1 * squared_r + 5.0 * k2 * squared_r**2) < LEAST_SPREAD:
            return False
    return True
