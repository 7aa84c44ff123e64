"""What finding points again and the adjustment after it cost for each key frame of long videos.

A camera walks round a textured room again and again. The model is made, not mapped: points on the
walls, each seen by a few frames in a row, with noise; poses that drift. So what grows with the
number of key frames is seen without hours of flow.
"""

from __future__ import annotations

import resource
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.piece import Column, Piece, Place, Row, Table
from mvrecon.formats.colmap.files import read_model, write_model
from mvrecon.formats.colmap.model import ColmapImage, ColmapModel
from mvrecon.geometry.camera import Camera
from mvrecon.geometry.rigid import inverse_rigid, rigid, transform_points
from mvrecon.geometry.similarity import align_similarity
from stages.pose.adjustment.lens import adjust_found
from stages.pose.adjustment.longer_tracks import MAX_OFF
from stages.pose.adjustment.refinding import find_again
from stages.pose.mapping.mapper import MapperSettings

FloatArray = NDArray[np.float64]

CAMERA = Camera(480, 360, 400.0, 400.0, 239.5, 179.5)
# Half the extent of the room, metres; y points down.
ROOM_M = np.array([3.0, 1.4, 2.5])
TEXELS_PER_M = 150
# Of the walk: the radius of its circle, and the turn between key frames.
RADIUS_M, TURN_RAD = 1.2, 0.09
# As tracks of flow are: so many begin in a frame, so many frames see each, so exactly.
NEW_POINTS, MEAN_LENGTH, NOISE_PX = 120, 6, 0.25
# Of the poses, from frame to frame, before they are adjusted.
DRIFT_M, DRIFT_RAD = 0.0002, 0.0001
ERROR_PX = 1.0
FRAMES = (100, 400)


@dataclass(frozen=True)
class Room:
    """A box with textured walls, seen from within."""

    half_3: FloatArray
    texture_hw: NDArray[np.uint8]

    def hit(self, pose: FloatArray, xy_n2: FloatArray) -> tuple[FloatArray, NDArray[np.int64]]:
        """Points (n, 3) on the walls that pixels see, and the axis that each wall is across."""
        ray_n3 = CAMERA.rays(xy_n2) @ pose[:3, :3].T
        with np.errstate(divide="ignore"):
            far_n3 = (np.sign(ray_n3) * self.half_3 - pose[:3, 3]) / ray_n3
        far_n3[ray_n3 == 0] = np.inf
        return pose[:3, 3] + far_n3.min(1)[:, None] * ray_n3, far_n3.argmin(1)

    def image(self, pose: FloatArray) -> NDArray[np.uint8]:
        """Grey image (h, w)."""
        grid = np.mgrid[: CAMERA.height, : CAMERA.width][::-1].reshape(2, -1).T
        hit_n3, axis_n = self.hit(pose, grid.astype(np.float64))
        u_n = np.where(axis_n == 0, hit_n3[:, 2], hit_n3[:, 0])
        v_n = np.where(axis_n == 1, hit_n3[:, 2], hit_n3[:, 1])
        side = np.take_along_axis(hit_n3, axis_n[:, None], 1)[:, 0] > 0
        shift_n = 7.3 * (2 * axis_n + side)  # so that no two walls are alike
        height, width = self.texture_hw.shape
        where = np.stack([u_n + shift_n, v_n + 3.1 * shift_n]) * TEXELS_PER_M
        x, y = np.mod(where, np.array([[width], [height]]) - 1.0)
        shape = CAMERA.height, CAMERA.width
        maps = [one.astype(np.float32).reshape(shape) for one in (x, y)]
        return np.asarray(cv2.remap(self.texture_hw, maps[0], maps[1], cv2.INTER_LINEAR), np.uint8)


def make_room(frames: int) -> tuple[Room, list[FloatArray]]:
    """The box and the poses, world_from_cam, of the camera in it."""
    rng = np.random.default_rng(0)
    texture = sum(
        cv2.resize(
            rng.normal(size=(2048 // size,) * 2), (2048, 2048), interpolation=cv2.INTER_CUBIC
        )
        * weight
        for size, weight in ((4, 20), (10, 25), (40, 20))
    )
    poses = []
    for index in range(frames):
        sway_3 = 0.1 * np.sin(np.array([0.31, 0.43, 0.23]) * index)
        angle = TURN_RAD * index
        reach_m = RADIUS_M * (1 + 0.2 * np.sin(0.37 * angle))
        centre_3 = reach_m * np.array([np.cos(angle), 0, -np.sin(angle)]) + sway_3
        turn_33, _ = cv2.Rodrigues(np.array([0.05 * np.sin(0.3 * index), angle, 0.0]))
        poses.append(rigid(turn_33.astype(np.float64), centre_3))
    return Room(ROOM_M, np.clip(128 + texture, 0, 255).astype(np.uint8)), poses


def make_model(room: Room, poses: list[FloatArray]) -> ColmapModel:
    """A model of short tracks, off as flow tracks and a mapper are."""
    rng = np.random.default_rng(1)
    seen: list[list[tuple[int, FloatArray]]] = [[] for _ in poses]
    points: list[FloatArray] = []
    size_2 = np.array([CAMERA.width, CAMERA.height])
    for first, pose in enumerate(poses):
        xyz_n3, _ = room.hit(pose, rng.uniform(10, size_2 - 10, (NEW_POINTS, 2)))
        for row, length in enumerate(2 + rng.poisson(MEAN_LENGTH - 2, NEW_POINTS)):
            for frame in range(first, min(first + int(length), len(poses))):
                cam_13 = transform_points(inverse_rigid(poses[frame]), xyz_n3[row : row + 1])
                xy_2 = CAMERA.project(cam_13)[0]
                if cam_13[0, 2] > 0 and np.all((xy_2 > 5) & (xy_2 < size_2 - 6)):
                    noisy_2 = xy_2 + rng.normal(0, NOISE_PX, 2)
                    seen[frame].append((len(points) + row, noisy_2))
        points.extend(xyz_n3)
    images, drift_3, turn_3 = [], np.zeros(3), np.zeros(3)
    for frame, (pose, found) in enumerate(zip(poses, seen, strict=True)):
        drift_3 = drift_3 + rng.normal(0, DRIFT_M, 3)
        turn_3 = turn_3 + rng.normal(0, DRIFT_RAD, 3)
        off_33, _ = cv2.Rodrigues(turn_3)
        bent = rigid(pose[:3, :3] @ off_33.astype(np.float64), pose[:3, 3] + drift_3)
        xy_k2 = np.array([xy for _, xy in found]).reshape(-1, 2)
        point_k = np.array([point for point, _ in found], np.int64)
        images.append(
            ColmapImage(frame + 1, 1, f"{frame}.jpg", inverse_rigid(bent), xy_k2, point_k)
        )
    xyz_n3 = np.array(points)
    rgb_n3 = np.zeros((len(points), 3), np.uint8)
    return _without_lone(
        ColmapModel({1: CAMERA}, tuple(images), xyz_n3, rgb_n3, np.zeros(len(points)))
    )


def _without_lone(model: ColmapModel) -> ColmapModel:
    """The model without observations of points that fewer than three images see."""
    count_n = np.bincount(model.observations()[0], minlength=len(model.xyz_n3))
    images = []
    for image in model.images:
        many_k = count_n[image.point_k] > 2
        images.append(
            ColmapImage(
                image.image_id,
                image.camera_id,
                image.name,
                image.cam_from_world,
                image.xy_k2[many_k],
                image.point_k[many_k],
            )
        )
    return ColmapModel(
        model.cameras, tuple(images), model.xyz_n3, model.rgb_n3, np.zeros(len(model.xyz_n3))
    )


def cpu_s_of(work: Callable[[], ColmapModel]) -> tuple[ColmapModel, float]:
    """What the work gives, and its CPU seconds."""
    begin = resource.getrusage(resource.RUSAGE_SELF)
    done = work()
    end = resource.getrusage(resource.RUSAGE_SELF)
    return done, end.ru_utime + end.ru_stime - begin.ru_utime - begin.ru_stime


def ate_percent(model: ColmapModel, poses: list[FloatArray]) -> float:
    """RMSE of the centres after Sim(3), percent of the path."""
    centre_n3 = np.stack([inverse_rigid(image.cam_from_world)[:3, 3] for image in model.images])
    true_n3 = np.stack(poses)[:, :3, 3]
    off_n3 = align_similarity(centre_n3, true_n3).apply(centre_n3) - true_n3
    path_m = np.linalg.norm(np.diff(true_n3, axis=0), axis=1).sum()
    return float(100 * np.sqrt((off_n3**2).sum(1).mean()) / path_m)


def measure(_: Place, frames: int) -> list[Row]:
    """One row."""
    cv2.setNumThreads(1)
    room, poses = make_room(frames)
    grey = {f"{index}.jpg": room.image(pose) for index, pose in enumerate(poses)}
    model = make_model(room, poses)
    found, search_s = cpu_s_of(lambda: find_again(model, grey.__getitem__))
    settings = MapperSettings(max_error_px=ERROR_PX)

    def adjusted() -> ColmapModel:
        with tempfile.TemporaryDirectory() as folder:
            write_model(found, Path(folder))
            return read_model(adjust_found(Path(folder), settings, MAX_OFF * ERROR_PX))

    after, adjustment_s = cpu_s_of(adjusted)
    before_count, found_count = (len(one.observations()[0]) for one in (model, found))
    return [
        {
            "frames": frames,
            "points": len(model.xyz_n3),
            "before": before_count,
            "found": found_count - before_count,
            "search_ms": 1000 * search_s / frames,
            "adjustment_ms": 1000 * adjustment_s / frames,
            "ate_before": ate_percent(model, poses),
            "ate_after": ate_percent(after, poses),
        }
    ]


TABLE = Table(
    "growth",
    "Points found again in long videos",
    """
A made model of short, noisy tracks of a camera that walks round one room again and again: CPU
milliseconds for each key frame of the search for points and of the adjustment to them.
""",
    (
        Column("frames", "key frames"),
        Column("points", "points", ","),
        Column("before", "observations, before", ","),
        Column("found", "found", ","),
        Column("search_ms", "search, ms", ".0f"),
        Column("adjustment_ms", "adjustment, ms", ".0f"),
        Column("ate_before", "ATE %, before", ".4f"),
        Column("ate_after", "after", ".4f"),
    ),
    tuple(
        Piece(f"growth/{frames}", partial(measure, frames=frames), ("pose",)) for frames in FRAMES
    ),
)
