"""Points of a sequence's model found again in its images, and the model adjusted to them."""

from __future__ import annotations

import math
import shutil
from pathlib import Path

from mvrecon.artifacts.frames import FrameTable
from mvrecon.engine.stage import StageContext
from mvrecon.engine.threads import single_opencv_thread
from mvrecon.formats.colmap.files import read_model, write_model
from mvrecon.formats.colmap.model import ColmapModel
from stages.pose.adjustment.lens import adjust_found
from stages.pose.adjustment.refinding import find_again
from stages.pose.config import PoseConfig, error_px
from stages.pose.images import load_grey, load_kept
from stages.pose.mapping.mapper import MapperSettings

# Error of an observation that is no outlier, in units of the largest one of two-view geometry.
MAX_OFF = 1.5


def lengthen_tracks(
    context: StageContext[PoseConfig], table: FrameTable, model: ColmapModel
) -> ColmapModel:
    """The model after looking for its points in all images; itself for photos.

    Args:
        context: of the stage.
        table: of the input.
        model: in the mapper's world, of the images as they are stored.
    """
    options = context.config
    if not options.tracks.find_again or table.kind != "sequence":
        return model
    frames = {frame.name: frame for frame in table.key_frames}
    priors = {
        image.camera_id: table.cameras[frames[Path(image.name).stem].camera]
        for image in model.images
    }
    first = priors[model.images[0].camera_id]
    largest_error_px = error_px(options.mapping.max_error, first.camera)
    with single_opencv_thread():
        found = find_again(
            model,
            lambda name: load_grey(context, Path(name).stem),
            lambda name: load_kept(context, Path(name).stem),
        )
    folder = context.out.scratch() / "found"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    write_model(found, folder)
    # Where the images did not tell a focal length, the mapper has left it as it was assumed.
    are_assumed = all(
        math.isclose(model.cameras[camera_id].fx, prior.camera.fx, rel_tol=1e-9)
        for camera_id, prior in priors.items()
    )
    settings = MapperSettings(
        max_error_px=largest_error_px,
        robust_scale=options.mapping.robust_scale,
        refine_focal=not are_assumed,
        fixed_cameras=tuple(
            camera_id - 1
            for camera_id, prior in priors.items()
            if prior.source == "given" and not options.mapping.refine_intrinsics
        ),
        min_angle_deg=options.mapping.min_angle,
    )
    context.isolated(adjust_found, folder, settings, MAX_OFF * largest_error_px)
    adjusted = read_model(folder)
    return adjusted if len(adjusted.images) == len(model.images) else model
