"""Whether the frames of a sequence were taken with a rolling shutter, or while zooming."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mvrecon.artifacts.frames import FrameTable
from mvrecon.artifacts.image_motion import ImageMotion, motion_item
from mvrecon.engine.stage import StageContext
from mvrecon.formats.colmap.model import ColmapModel
from stages.pose.adjustment.choose import Shutter, explain_errors
from stages.pose.config import PoseConfig, error_px


def find_shutter(
    context: StageContext[PoseConfig], table: FrameTable, model: ColmapModel
) -> Shutter | None:
    """The camera that explains a model's errors better than an ordinary one, if any does.

    Args:
        context: of the stage.
        table: of the input; nothing is sought in photos.
        model: in the mapper's world, of the images as they are stored.
    """
    options = context.config.mapping
    if not options.unusual_cameras or table.kind != "sequence" or table.is_joined:
        return None
    frames = {frame.name: frame for frame in table.key_frames}
    names = [Path(image.name).stem for image in model.images]
    items = context.inputs["frames"]
    measured = set(items.names("motion/"))
    prior = table.cameras[frames[names[0]].camera]
    largest_error_px = error_px(options.max_error, prior.camera)
    frame_s = float(np.median(np.diff([frame.timestamp_s for frame in table.frames])))
    return explain_errors(
        model,
        [frames[name].timestamp_s for name in names],
        {
            name: ImageMotion.load(items.path(motion_item(name)))
            for name in names
            if motion_item(name) in measured
        },
        frame_s=frame_s,
        scale_px=options.robust_scale * largest_error_px,
        calibrated=options.keeps(prior.source),
    )
