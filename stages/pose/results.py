"""Writes what the pose stage makes, but for the images."""

from __future__ import annotations

import csv
import io
import json
import math
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mvrecon.artifacts.frames import FrameTable, image_item
from mvrecon.artifacts.poses import (
    POINTS_ITEM,
    POSES_ITEM,
    PosedFrame,
    SparsePoints,
    poses_to_json,
)
from mvrecon.engine.stage import StageContext, StageOutput
from mvrecon.formats.colmap.files import write_model
from mvrecon.formats.colmap.model import ColmapModel
from mvrecon.formats.images import read_pixels
from mvrecon.formats.trajectory import trajectory_text
from mvrecon.formats.transforms import TransformsFrame, transforms_text
from mvrecon.geometry.rigid import inverse_rigid
from mvrecon.geometry.sampling import sample_bilinear
from stages.pose.adjustment.choose import Shutter
from stages.pose.config import PoseConfig
from stages.pose.images import stored_image
from stages.pose.mapping.diagnosis import count_reasons, cuts_between
from stages.pose.mapping.resection import Resected
from stages.pose.solution import Solution
from stages.pose.undistortion import pinhole_without_blanks, undistort_model
from stages.pose.world.scale import World

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


@dataclass(frozen=True)
class Results:
    """What is to be written.

    Attributes:
        table: of the input.
        solution: the models in the mapper's world.
        world: where the largest of them goes.
        distorted: it, in that world, of the images as they are stored.
        reasons: why other key frames have no pose, by name.
        others: what became of the frames that are no key frames, by index.
        shutter: what was found of the camera; None for an ordinary one.
        fisheye_deg: field across the width of the fisheye that the images are of; None if none.
    """

    table: FrameTable
    solution: Solution
    world: World
    distorted: ColmapModel
    reasons: Mapping[str, str]
    others: Mapping[int, Resected]
    shutter: Shutter | None = None
    fisheye_deg: float | None = None

    @property
    def readout_s(self) -> float:
        """Time from the first row of an image to its last."""
        return self.shutter.readout_s if self.shutter else 0.0


def write_results(context: StageContext[PoseConfig], results: Results) -> None:
    """Write every item but the images."""
    table, distorted, others = results.table, results.distorted, results.others
    pinholes = {
        camera_id: pinhole_without_blanks(camera) for camera_id, camera in distorted.cameras.items()
    }
    model = undistort_model(distorted, pinholes)
    frames = _posed_frames(results, model)
    images = [stored_image(context, frame.name) for frame in frames]
    model = replace(model, rgb_n3=_point_colours(distorted, images))
    out = context.out
    _write_model(out, "colmap", model)
    for number, other in enumerate(results.solution.models[1:]):
        _write_model(out, f"colmap_others/{number}", other)
    out.write_text("frames.csv", frames_csv(table, frames, results.reasons, others))
    out.write_text("trajectory.txt", full_trajectory_text(table, frames, others))
    out.write_text(
        "transforms.json",
        transforms_text(
            [TransformsFrame(image_item(f.name), f.camera, f.world_from_cam) for f in frames]
        ),
    )
    stored = {"numbers": _numbers(results), "warnings": _warnings(results)}
    out.write_text(NUMBERS_ITEM, json.dumps(stored, indent=1))
    out.write(POINTS_ITEM, _sparse_points(model).save)
    out.write_text(POSES_ITEM, poses_to_json(frames))


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
                table.source_of(frame),
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


def _posed_frames(results: Results, model: ColmapModel) -> list[PosedFrame]:
    by_name = {frame.name: frame for frame in results.table.key_frames}
    frames = []
    for source, image in zip(results.distorted.images, model.images, strict=True):
        name = Path(image.name).stem
        frames.append(
            PosedFrame(
                name=name,
                timestamp_s=by_name[name].timestamp_s,
                camera=model.cameras[image.camera_id],
                source_camera=results.distorted.cameras[source.camera_id],
                world_from_cam=inverse_rigid(image.cam_from_world),
                readout_s=results.readout_s,
            )
        )
    return frames


def _point_colours(model: ColmapModel, images: Sequence[Path]) -> NDArray[np.uint8]:
    """Mean colour (n, 3) over the images that see each point."""
    sum_n3 = np.zeros((len(model.xyz_n3), 3))
    count_n = np.zeros(len(model.xyz_n3))
    point_m, image_m, xy_m2 = model.observations()
    for index, path in enumerate(images):
        here = image_m == index
        colours = sample_bilinear(read_pixels(path).astype(np.float32), xy_m2[here])
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


def _numbers(results: Results) -> dict[str, float | int | str]:
    model, solution = results.distorted, results.solution
    point_m, _, _ = model.observations()
    camera = model.cameras[model.images[0].camera_id]
    numbers: dict[str, float | int | str] = {
        "posed_frames": len(model.images),
        "key_frames": len(results.table.key_frames),
        "models": len(solution.models),
        "points": len(model.xyz_n3),
        "mean_track_length_frames": round(len(point_m) / len(model.xyz_n3), 2),
        "mean_reprojection_error_px": round(float(model.error_px_n.mean()), 3),
        "focal_px": round(camera.fx, 2),
        "radial_distortion": round(camera.distortion[0], 5) if camera.distortion else 0.0,
        "cuts": cuts_between(results.reasons.values()),
        "track_gaps": max(solution.matched.pieces - 1, 0),
        "closed_loops": solution.loops,
        "mapper_settings": solution.settings,
        "scale": results.world.scale,
    }
    if solution.given_fit:
        numbers["refined_focal_px"] = round(solution.given_fit.focal_px, 2)
        numbers["refining_gains_percent"] = round(100.0 * solution.given_fit.gain, 1)
    if results.shutter:
        numbers["readout_share_of_frame_time"] = round(results.shutter.readout_share, 3)
        numbers["zoom"] = round(results.shutter.zoom, 3)
        numbers["explained_by_camera_percent"] = round(100.0 * results.shutter.gain, 1)
    if results.fisheye_deg is not None:
        numbers["fisheye_field_deg"] = round(results.fisheye_deg, 1)
    if solution.known:
        numbers["known_epipolar_error_px"] = round(solution.known.epipolar_error_px, 3)
    if results.others:
        numbers["other_frames"] = len(results.others)
        numbers["posed_other_frames"] = sum(not o.reason for o in results.others.values())
    return numbers


def _warnings(results: Results) -> list[str]:
    solution = results.solution
    total, posed = len(results.table.key_frames), len(results.distorted.images)
    warnings = list(results.world.warnings)
    if solution.known:
        warnings += solution.known.warnings
    if posed < total:
        warnings.append(
            f"{total - posed} of {total} key frames could not be posed"
            f" ({count_reasons(results.reasons.values())}); frames.csv names them"
        )
    if len(solution.models) > 1:
        sizes = ", ".join(str(len(other.images)) for other in solution.models[1:])
        warnings.append(
            f"The scene fell into {len(solution.models)} models; the largest was taken,"
            f" the others ({sizes} frames) are kept in colmap_others"
        )
    if results.fisheye_deg is not None:
        warnings.append(
            f"The images are those of a fisheye of about {results.fisheye_deg:.0f}°, which no terms"
            " of distortion describe well; see them through it with --frames.projection fisheye"
            f" --frames.field_deg {results.fisheye_deg:.0f}"
        )
    if _is_assumed(results.table, results.distorted):
        warnings.append(
            "The focal length could not be found from these frames and was assumed;"
            " give it with --camera for true proportions"
        )
    return warnings
