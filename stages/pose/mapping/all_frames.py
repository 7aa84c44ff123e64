"""The frames between the key frames: their poses, from the points of the model."""

from __future__ import annotations

from pathlib import Path

from mvrecon.artifacts.frames import FrameRecord, FrameTable
from mvrecon.engine.stage import StageContext
from mvrecon.formats.colmap.model import NO_POINT, ColmapModel
from mvrecon.formats.frame_view import FrameView
from mvrecon.geometry.rigid import inverse_rigid
from stages.pose.config import PoseConfig, error_px
from stages.pose.images import stored_image
from stages.pose.mapping.resection import UNREADABLE, Anchor, Resected, resect_frames

# Reprojection error of points that agree, for images 1000 pixels wide.
MAX_ERROR_PX = 2.0
NOT_FOUND = "not found again in the input"


def pose_other_frames(
    context: StageContext[PoseConfig], table: FrameTable, model: ColmapModel
) -> dict[int, Resected]:
    """Pose the frames that are no key frames, by their index.

    Args:
        context: of the stage.
        table: of the input; photos have no frames in between.
        model: in the world of the results, of the images as they are stored.
    """
    found: dict[int, Resected] = {}
    parts = table.parts or (None,)
    for part, own in zip(parts, table.by_part(), strict=True):
        path = context.raw_inputs[part.number if part else 0]
        found |= _pose_others(context, path, own, model, part.view if part else None)
    return found


def _pose_others(
    context: StageContext[PoseConfig],
    path: Path,
    table: FrameTable,
    model: ColmapModel,
    view: FrameView | None,
) -> dict[int, Resected]:
    """Those of one input."""
    others = [
        frame
        for frame in table.frames
        if not frame.name and not frame.reason.startswith(UNREADABLE)
    ]
    if table.kind != "sequence" or not others:
        return {}
    start = table.frames[0].index
    by_name = {frame.name: frame for frame in table.key_frames}
    anchors = []
    for image in model.images:
        frame = by_name.get(Path(image.name).stem)
        if frame is None:
            continue
        seen = image.point_k != NO_POINT
        anchors.append(
            Anchor(
                _position(frame, start),
                stored_image(context, frame.name),
                model.cameras[image.camera_id],
                inverse_rigid(image.cam_from_world),
                image.xy_k2[seen],
                model.xyz_n3[image.point_k[seen]],
            )
        )
    anchors.sort(key=lambda anchor: anchor.position)
    if not anchors:
        return {}
    positions = [_position(frame, start) for frame in others]
    max_error_px = error_px(MAX_ERROR_PX, anchors[0].camera)
    found = context.isolated(resect_frames, path, positions, anchors, max_error_px, view)
    return {
        frame.index: found.get(position, Resected(None, NOT_FOUND))
        for frame, position in zip(others, positions, strict=True)
    }


def _position(frame: FrameRecord, start: int) -> int:
    """Number in the video, or place in the folder, whose first frame has the index `start`."""
    return int(frame.source) if frame.source.isdecimal() else frame.index - start
