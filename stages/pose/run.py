"""Runs the pose stage: estimates or checks poses, writes them, undistorts, masks what moves."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from mvrecon.artifacts.frames import FRAMES_ITEM, FrameTable, image_item
from mvrecon.artifacts.image_maps import ImageMaps
from mvrecon.artifacts.poses import POSES_ITEM, load_poses
from mvrecon.engine.stage import StageContext, Summary
from mvrecon.formats.colmap.model import ColmapModel
from stages.pose.adjustment.choose import Shutter
from stages.pose.adjustment.longer_tracks import lengthen_tracks
from stages.pose.adjustment.shutter import find_shutter
from stages.pose.config import PoseConfig
from stages.pose.images import load_grey, stored_image, write_excluded, write_undistorted
from stages.pose.known.solve import solve_known
from stages.pose.mapping.all_frames import pose_other_frames
from stages.pose.mapping.diagnosis import lost_reasons
from stages.pose.mapping.fisheye import find_fisheye
from stages.pose.mapping.solve import solve
from stages.pose.moving.masking import mask_moving
from stages.pose.results import MODEL_ITEMS, NUMBERS_ITEM, Results, write_results
from stages.pose.solution import Solution
from stages.pose.world.canonical import move_model
from stages.pose.world.scale import choose_world, require_frames

# Full-size maps: images mostly share a camera.
REMEMBERED_MAPS = 2


def run(context: StageContext[PoseConfig]) -> Summary:
    """Estimate the poses unless an interrupted run did, then undistort the images."""
    table = FrameTable.load(context.inputs["frames"].path(FRAMES_ITEM))
    require_frames(context.config.scale, table)
    if not all(context.out.has(name) for name in MODEL_ITEMS):
        write_results(context, _results(context, table))
    poses = {frame.name: frame for frame in load_poses(context.out.path(POSES_ITEM))}
    maps = ImageMaps(poses.values(), context.inputs["frames"], REMEMBERED_MAPS)

    def make_image(item: str) -> None:
        name = Path(item).stem
        source = stored_image(context, name)
        write_excluded(context, poses[name], maps)
        context.out.write(item, lambda path: write_undistorted(source, poses[name], maps, path))

    context.make_items([image_item(name) for name in poses], make_image, "image")
    stored = json.loads(context.out.path(NUMBERS_ITEM).read_text())
    if context.config.moving.mode == "mask":
        shares = mask_moving(context)
        stored["numbers"]["moving_percent"] = round(100.0 * shares.moving, 2)
        stored["numbers"]["still_percent"] = round(100.0 * shares.still, 1)
    return Summary(stored["numbers"], stored["warnings"])


def _results(context: StageContext[PoseConfig], table: FrameTable) -> Results:
    """The models in the world that they are given in, and why frames are lost."""
    config = context.config
    solution = solve_known(context, table, config.known) if config.known else solve(context, table)
    is_known = solution.known is not None
    shutter, fisheye_deg = None, None
    if not is_known:
        fisheye_deg = find_fisheye(table, solution.matched.features)
        model, shutter = adjusted(context, table, solution.models[0])
        solution = replace(solution, models=[model, *solution.models[1:]])
    world = choose_world(table, solution.models[0], config.scale, is_known)
    distorted = move_model(solution.models[0], world.world_from_model)
    reasons = _lost_reasons(context, table, solution)
    others = pose_other_frames(context, table, distorted) if config.all_frames else {}
    return Results(table, solution, world, distorted, reasons, others, shutter, fisheye_deg)


def adjusted(
    context: StageContext[PoseConfig], table: FrameTable, model: ColmapModel
) -> tuple[ColmapModel, Shutter | None]:
    """The model of the camera that fits its errors, and that camera if it is no ordinary one.

    Points are found again, and told from outliers, by what an ordinary camera sees. Done first, it
    would bend the model of any other, and choose the observations that the camera is told by.
    """
    shutter = find_shutter(context, table, model)
    return (shutter.model, shutter) if shutter else (lengthen_tracks(context, table, model), None)


def _lost_reasons(
    context: StageContext[PoseConfig], table: FrameTable, solution: Solution
) -> dict[str, str]:
    if solution.known:
        return dict(solution.known.reasons)
    return lost_reasons(
        table,
        solution.matched.features,
        solution.models,
        solution.min_inliers,
        lambda name: load_grey(context, name),
    )
