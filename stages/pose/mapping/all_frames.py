"""The frames between the key frames: their poses, and every frame's row in what is published."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from mvrecon.artifacts.frames import FrameRecord, FrameTable, image_item
from mvrecon.artifacts.poses import PosedFrame
from mvrecon.engine.stage import StageContext
from mvrecon.formats.colmap_model import NO_POINT, ColmapModel
from mvrecon.formats.trajectory import trajectory_text
from mvrecon.geometry.rigid import inverse_rigid
from stages.pose.config import PoseConfig
from stages.pose.mapping.resection import Anchor, Resected, resect_frames

UNREADABLE = "unreadable"
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
    others = [
        frame
        for frame in table.frames
        if not frame.name and not frame.reason.startswith(UNREADABLE)
    ]
    if table.kind != "sequence" or not others:
        return {}
    by_name = {frame.name: frame for frame in table.key_frames}
    anchors = []
    for image in model.images:
        frame = by_name[Path(image.name).stem]
        seen = image.point_k != NO_POINT
        anchors.append(
            Anchor(
                _position(frame),
                context.inputs["frames"].path(image_item(frame.name)),
                model.cameras[image.camera_id],
                inverse_rigid(image.cam_from_world),
                image.xy_k2[seen],
                model.xyz_n3[image.point_k[seen]],
            )
        )
    anchors.sort(key=lambda anchor: anchor.position)
    positions = [_position(frame) for frame in others]
    side_px = max(anchors[0].camera.width, anchors[0].camera.height)
    max_error_px = max(MAX_ERROR_PX * side_px / 1000.0, 1.0)
    found = context.isolated(resect_frames, context.raw_input, positions, anchors, max_error_px)
    return {
        frame.index: found.get(position, Resected(None, NOT_FOUND))
        for frame, position in zip(others, positions, strict=True)
    }


def frames_csv(
    table: FrameTable,
    posed: Sequence[PosedFrame],
    reasons: Mapping[str, str],
    others: Mapping[int, Resected],
) -> str:
    """Text of frames.csv: every frame considered, and why it was not kept or not posed.

    Args:
        table: of the input.
        posed: key frames.
        reasons: why other key frames are not, by name.
        others: what became of the frames that are no key frames, by index; those that were
            not tried are left out.
    """
    names = {frame.name for frame in posed}
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["index", "name", "source", "timestamp_s", "posed", "reason"])
    for frame in table.frames:
        other = others.get(frame.index)
        lost = f"; no pose: {other.reason}" if other and other.reason else ""
        writer.writerow(
            [
                frame.index,
                frame.name,
                frame.source,
                f"{frame.timestamp_s:.6f}",
                int(frame.name in names or (other is not None and not other.reason)),
                (frame.reason or reasons.get(frame.name, "")) + lost,
            ]
        )
    return text.getvalue()


def full_trajectory_text(
    table: FrameTable, posed: Sequence[PosedFrame], others: Mapping[int, Resected]
) -> str:
    """Text of trajectory.txt: a line for each posed row of frames.csv, in its order."""
    poses = {frame.name: frame.world_from_cam for frame in posed}
    rows = []
    for frame in table.frames:
        pose = poses.get(frame.name)
        if pose is None and frame.index in others:
            pose = others[frame.index].world_from_cam
        if pose is not None:
            rows.append((frame.timestamp_s, pose))
    return trajectory_text([time_s for time_s, _ in rows], [pose for _, pose in rows])


def _position(frame: FrameRecord) -> int:
    """Number in the video, or place in the folder."""
    return int(frame.source) if frame.source.isdecimal() else frame.index
