"""Whether the images contradict intrinsics that were given: only for a child process."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from stages.pose.colmap import quieten
from stages.pose.mapping.mapper import MapperSettings, adjust_robustly
from stages.pose.solution import IntrinsicsFit


def fit_of_given(folder: Path, settings: MapperSettings) -> IntrinsicsFit:
    """Adjust a stored model with its intrinsics as they are, and free.

    Args:
        folder: of the model; it is not changed.
        settings: that it was mapped with.
    """
    import pycolmap

    quieten()
    model = pycolmap.Reconstruction(folder)
    fixed_cost = adjust_robustly(model, settings)
    free_cost = adjust_robustly(model, replace(settings, fixed_cameras=(), refine_focal=True))
    camera_id = min(model.image(image_id).camera_id for image_id in model.reg_image_ids())
    gain = 1.0 - free_cost / fixed_cost if fixed_cost > 0 else 0.0
    return IntrinsicsFit(gain, float(model.camera(camera_id).mean_focal_length()))
