"""Writes what the pose stage makes."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mvrecon.artifacts.frames import FRAMES_ITEM, FrameTable, image_item
from mvrecon.artifacts.poses import (
    POINTS_ITEM,
    POSES_ITEM,
    PosedFrame,
    SparsePoints,
    load_poses,
    poses_to_json,
)
from mvrecon.engine.stage import StageContext, StageOutput, Summary
from mvrecon.formats.colmap import write_model
from mvrecon.formats.colmap_model import ColmapModel
from mvrecon.formats.transforms import TransformsFrame, transforms_text
from mvrecon.geometry.camera import Camera
from mvrecon.geometry.rigid import inverse_rigid
from mvrecon.geometry.sampling import sample_bilinear
from stages.pose.config import PoseConfig
from stages.pose.known.poses import solve_known
from stages.pose.mapping.all_frames import frames_csv, full_trajectory_text, pose_other_frames
from stages.pose.mapping.diagnosis import count_reasons, lost_reasons
from stages.pose.mapping.solve import Solution, solve
from stages.pose.matching.matches import load_gray
from stages.pose.moving.masks import mask_moving
from stages.pose.undistortion import pinhole_without_blanks, undistort_image, undistort_model
from stages.pose.world.canonical import move_model
from stages.pose.world.scale import World, choose_world, require_frames

NUMBERS_ITEM = "numbers.json"
MODEL_FILES = ("cameras.bin", "images.bin", "points3D.bin")
# Written in this order; the last one says that all are there.
MODEL_ITEMS = (
    *(f"colmap/{name}" for name in MODEL_FILES),
    "frames.csv",
    "trajectory.txt",
    "transforms.json",
    NUMBERS_ITEM,
    POINTS_ITEM,
    POSES_ITEM,
)
JPEG_QUALITY = 95


def make_results(context: StageContext[PoseConfig]) -> Summary:
    """Estimate the poses unless an interrupted run did, then undistort the images."""
    table = FrameTable.load(context.inputs["frames"].path(FRAMES_ITEM))
    require_frames(context.config.scale, table)
    if not all(context.out.has(name) for name in MODEL_ITEMS):
        write_solution(context, table, _solve(context, table))
    poses = {frame.name: frame for frame in load_poses(context.out.path(POSES_ITEM))}

    def make_image(item: str) -> None:
        frame = poses[Path(item).stem]
        source = context.inputs["frames"].path(item)
        context.out.write(item, lambda path: write_undistorted(source, frame, path))

    context.make_items([image_item(name) for name in poses], make_image, "image")
    stored = json.loads(context.out.path(NUMBERS_ITEM).read_text())
    if context.config.moving == "mask":
        stored["numbers"]["moving_percent"] = round(100.0 * mask_moving(context), 2)
    return Summary(stored["numbers"], stored["warnings"])


def _solve(context: StageContext[PoseConfig], table: FrameTable) -> Solution:
    known = context.config.known
    return solve_known(context, table, known) if known else solve(context, table)


def write_undistorted(source: Path, frame: PosedFrame, path: Path) -> None:
    """Undistort one image; a copy if there is nothing to do."""
    if frame.camera == frame.source_camera.pinhole():
        shutil.copyfile(source, path)
        return
    image_hw3 = np.asarray(cv2.imread(str(source), cv2.IMREAD_COLOR), np.uint8)
    undistorted = undistort_image(image_hw3, frame.source_camera, frame.camera)
    cv2.imwrite(str(path), undistorted, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])


def write_solution(
    context: StageContext[PoseConfig], table: FrameTable, solution: Solution
) -> None:
    """Write every item but the images."""
    world = choose_world(
        table, solution.models[0], context.config.scale, known=solution.known is not None
    )
    distorted = move_model(solution.models[0], world.world_from_model)
    pinholes = {
        camera_id: pinhole_without_blanks(camera) for camera_id, camera in distorted.cameras.items()
    }
    model = undistort_model(distorted, pinholes)
    frames = _posed_frames(table, distorted, model)
    load = _image_loader(context)
    colours = _point_colours(distorted, [load(frame.name) for frame in frames])
    model = ColmapModel(model.cameras, model.images, model.xyz_n3, colours, model.error_px_n)
    reasons = _lost_reasons(context, table, solution)
    out = context.out
    _write_model(out, "colmap", model)
    for number, other in enumerate(solution.models[1:]):
        _write_model(out, f"colmap_others/{number}", other)
    others = pose_other_frames(context, table, distorted) if context.config.all_frames else {}
    out.write_text("frames.csv", frames_csv(table, frames, reasons, others))
    out.write_text("trajectory.txt", full_trajectory_text(table, frames, others))
    out.write_text(
        "transforms.json",
        transforms_text(
            [TransformsFrame(image_item(f.name), f.camera, f.world_from_cam) for f in frames]
        ),
    )
    stored = _numbers(table, solution, distorted, world, reasons)
    if others:
        stored["numbers"]["other_frames"] = len(others)
        stored["numbers"]["posed_other_frames"] = sum(not o.reason for o in others.values())
    out.write_text(NUMBERS_ITEM, json.dumps(stored, indent=1))
    out.write(POINTS_ITEM, _sparse_points(model).save)
    out.write_text(POSES_ITEM, poses_to_json(frames))


def _lost_reasons(
    context: StageContext[PoseConfig], table: FrameTable, solution: Solution
) -> dict[str, str]:
    if solution.known:
        return dict(solution.known.reasons)
    return lost_reasons(
        table.key_frames,
        solution.matched.features,
        solution.models,
        solution.min_inliers,
        lambda name: load_gray(context, name),
    )


def _posed_frames(
    table: FrameTable, distorted: ColmapModel, model: ColmapModel
) -> list[PosedFrame]:
    by_name = {frame.name: frame for frame in table.key_frames}
    frames = []
    for source, image in zip(distorted.images, model.images, strict=True):
        name = Path(image.name).stem
        frames.append(
            PosedFrame(
                name=name,
                timestamp_s=by_name[name].timestamp_s,
                camera=model.cameras[image.camera_id],
                source_camera=distorted.cameras[source.camera_id],
                world_from_cam=inverse_rigid(image.cam_from_world),
            )
        )
    return frames


def _image_loader(
    context: StageContext[PoseConfig],
) -> Callable[[str], Callable[[], NDArray[np.uint8]]]:
    def loader(name: str) -> Callable[[], NDArray[np.uint8]]:
        path = context.inputs["frames"].path(image_item(name))
        return lambda: np.asarray(cv2.imread(str(path), cv2.IMREAD_COLOR), np.uint8)[..., ::-1]

    return loader


def _point_colours(
    model: ColmapModel, loaders: list[Callable[[], NDArray[np.uint8]]]
) -> NDArray[np.uint8]:
    """Mean colour (n, 3) over the images that see each point."""
    sum_n3 = np.zeros((len(model.xyz_n3), 3))
    count_n = np.zeros(len(model.xyz_n3))
    point_m, image_m, xy_m2 = model.observations()
    for index, load in enumerate(loaders):
        here = image_m == index
        colours = sample_bilinear(load().astype(np.float32), xy_m2[here])
        np.add.at(sum_n3, point_m[here], colours)
        np.add.at(count_n, point_m[here], 1.0)
    return np.round(sum_n3 / np.maximum(count_n, 1.0)[:, None]).astype(np.uint8)


def _sparse_points(model: ColmapModel) -> SparsePoints:
    point_m, image_m, xy_m2 = model.observations()
    return SparsePoints(
        xyz_n3=model.xyz_n3,
        rgb_n3=model.rgb_n3,
        error_px_n=model.error_px_n.astype(np.float32),
        observation_point_m=point_m.astype(np.int32),
        observation_frame_m=image_m.astype(np.int32),
        observation_xy_m2=xy_m2.astype(np.float32),
    )


def _write_model(out: StageOutput, folder: str, model: ColmapModel) -> None:
    scratch = out.scratch() / "written"
    scratch.mkdir(exist_ok=True)
    write_model(model, scratch)
    for name in MODEL_FILES:
        out.write(f"{folder}/{name}", lambda path, name=name: shutil.copyfile(scratch / name, path))  # type: ignore[misc]


def _is_assumed(table: FrameTable, model: ColmapModel) -> bool:
    """Whether the first image's focal length is still what it was before mapping."""
    image = model.images[0]
    names = {frame.name: frame for frame in table.key_frames}
    prior = table.cameras[names[Path(image.name).stem].camera]
    assumed_px = 0.5 * (prior.camera.fx + prior.camera.fy)
    found_px = model.cameras[image.camera_id].fx
    return prior.source == "default" and math.isclose(found_px, assumed_px, rel_tol=1e-9)


def _numbers(
    table: FrameTable,
    solution: Solution,
    model: ColmapModel,
    world: World,
    reasons: dict[str, str],
) -> dict[str, Any]:
    point_m, _, _ = model.observations()
    total, posed = len(table.key_frames), len(model.images)
    camera: Camera = model.cameras[model.images[0].camera_id]
    numbers: dict[str, float | int | str] = {
        "posed_frames": posed,
        "key_frames": total,
        "models": len(solution.models),
        "points": len(model.xyz_n3),
        "mean_track_length_frames": round(len(point_m) / len(model.xyz_n3), 2),
        "mean_reprojection_error_px": round(float(model.error_px_n.mean()), 3),
        "focal_px": round(camera.fx, 2),
        "radial_distortion": round(camera.distortion[0], 5) if camera.distortion else 0.0,
        "track_gaps": max(solution.matched.pieces - 1, 0),
        "closed_loops": solution.loops,
        "mapper_settings": solution.settings,
        "scale": world.scale,
    }
    warnings = list(world.warnings)
    if solution.known:
        numbers["known_epipolar_error_px"] = round(solution.known.epipolar_error_px, 3)
        warnings += solution.known.warnings
    if posed < total:
        warnings.append(
            f"{total - posed} of {total} key frames could not be posed"
            f" ({count_reasons(reasons.values())}); frames.csv names them"
        )
    if len(solution.models) > 1:
        sizes = ", ".join(str(len(other.images)) for other in solution.models[1:])
        warnings.append(
            f"The scene fell into {len(solution.models)} models; the largest was taken,"
            f" the others ({sizes} frames) are kept in colmap_others"
        )
    if _is_assumed(table, model):
        warnings.append(
            "The focal length could not be found from these frames and was assumed;"
            " give it with --camera for true proportions"
        )
    return {"numbers": numbers, "warnings": warnings}
