"""Processor time and memory for each key frame as a video gets longer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.measures.running import GIB, POSE_STAGES, posed, recorded, run
from benchmarks.piece import Column, Piece, Place, Row, Table
from mvrecon.evaluation.metrics.trajectory import align_centres
from mvrecon.evaluation.run.files import read_key_frames
from mvrecon.geometry.camera import Camera
from mvrecon.synthetic.clip import write_video
from mvrecon.synthetic.lighting import Light
from mvrecon.synthetic.paths import look_at
from mvrecon.synthetic.render import View, render_radiance
from mvrecon.synthetic.scene import BakedScene
from mvrecon.synthetic.shapes import box, placed
from mvrecon.synthetic.textures import speckle

FPS = 20
CAMERA = Camera(320, 240, 260.0, 260.0, 159.5, 119.5)
ROOM_M = (7.0, 7.0, 2.6)
RADIUS_M = 2.0
FRAMES_A_ROUND = 500
COUNTS = (50, 200, 1000)
FLOW = "dis"  # the cheapest; that of the others grows with the pairs alone


def measure(place: Place, count: int) -> list[Row]:
    """One row: the first frames of the walk."""
    folder = place.runs / "long"
    video, run_dir = folder / f"walk_{count}.mp4", folder / f"run_{count}"
    poses = walk(count)
    if not video.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        temporary = video.with_name(f"partial_{video.name}")
        write_video(temporary, _pictures(poses), (CAMERA.width, CAMERA.height), FPS, crf=14)
        temporary.replace(video)
    options = ("--until", "pose", "--frames.every_frame=true", f"--flow.model={FLOW}")
    run(video, run_dir, *options)
    costs = [recorded(run_dir, stage) for stage in POSE_STAGES]
    each_s = {stage: cost["cpu_s"] / count for stage, cost in zip(POSE_STAGES, costs, strict=True)}
    return [
        {
            "count": count,
            **each_s,
            "together": sum(each_s.values()),
            "peak_gib": max(cost["peak_bytes"] for cost in costs) / GIB,
            "posed": posed(run_dir)["posed"],
            "ate_percent": _ate_percent(run_dir, poses),
        }
    ]


def walk(count: int) -> list[NDArray[np.float64]]:
    """World_from_cam along a circle, looking ahead and outwards at furniture and walls."""
    poses = []
    for frame in range(count):
        angle = 2 * np.pi * frame / FRAMES_A_ROUND
        # The second round is a little wider and higher than the first.
        radius_m = RADIUS_M + 0.1 * (frame // FRAMES_A_ROUND) + 0.05 * np.sin(0.13 * frame)
        height_m = 1.4 + 0.08 * (frame // FRAMES_A_ROUND) + 0.03 * np.sin(0.31 * frame)
        position = np.array([radius_m * np.cos(angle), radius_m * np.sin(angle), height_m])
        ahead = angle + np.radians(35)
        target = np.array([4.5 * np.cos(ahead), 4.5 * np.sin(ahead), 1.1])
        poses.append(look_at(position, target))
    return poses


def _scene() -> BakedScene:
    colours = [(0.1, 0.2, 0.4), (0.8, 0.3, 0.2), (0.9, 0.8, 0.3), (0.2, 0.5, 0.3)]
    walls = speckle((0.6, 0.6, 0.5), colours, 0.12, 0.8, 3)
    patches = box(ROOM_M, walls, 0, inward=True)
    rng = np.random.default_rng(5)
    for number in range(16):
        angle = 2 * np.pi * number / 16
        size = tuple(rng.uniform([0.3, 0.3, 0.5], [0.7, 0.7, 1.6]).tolist())
        texture = speckle(tuple(rng.uniform(0.2, 0.9, 3).tolist()), colours, 0.05, 0.8, 10 + number)
        centre = (2.95 * np.cos(angle), 2.95 * np.sin(angle), 0.0)
        patches += placed(box(size, texture, 20 + 10 * number), centre, float(rng.uniform(0, 90)))
    light = Light((0.5, 0.3, 2.4), shadow_samples=4, ambient_samples=4)
    return BakedScene(patches, light, texels_per_m=60.0)


def _pictures(poses: Sequence[NDArray[np.float64]]) -> Iterator[NDArray[np.uint8]]:
    scene = _scene()
    for pose in poses:
        radiance_hw3 = render_radiance(scene, View(CAMERA, pose), supersampling=1)
        yield (255 * np.clip(1.3 * radiance_hw3, 0, 1) ** (1 / 2.2)).round().astype(np.uint8)


def _ate_percent(run_dir: Path, poses: Sequence[NDArray[np.float64]]) -> float:
    frames = [frame for frame in read_key_frames(run_dir) if frame.world_from_cam is not None]
    estimate_n44 = np.stack([frame.world_from_cam for frame in frames])
    truth_n44 = np.stack([poses[int(frame.source)] for frame in frames])
    moved_n3 = align_centres(estimate_n44, truth_n44).apply(estimate_n44[:, :3, 3])
    error_n = np.linalg.norm(moved_n3 - truth_n44[:, :3, 3], axis=1)
    path = float(np.linalg.norm(np.diff(truth_n44[:, :3, 3], axis=0), axis=1).sum())
    return 100 * float(np.sqrt((error_n**2).mean())) / path


TABLE = Table(
    "long",
    "Long input",
    f"""
A camera walks rounds of {FRAMES_A_ROUND} frames through a rendered room ({CAMERA.width} ×
{CAMERA.height} px); every frame is a key frame (`--frames.every_frame true --flow.model {FLOW}
--until pose`). CPU seconds for each key frame, all threads and children; *peak*: of the largest
process of the three stages; *ATE*: RMSE after Sim(3) alignment, of the path.
""",
    (
        Column("count", "key frames"),
        *(Column(stage, f"{stage}, CPU s each", ".3f") for stage in POSE_STAGES),
        Column("together", "together", ".3f"),
        Column("peak_gib", "peak GiB", ".2f"),
        Column("posed", "posed"),
        Column("ate_percent", "ATE %", ".3f"),
    ),
    tuple(
        Piece(f"long/{count}", partial(measure, count=count), POSE_STAGES, settings={"flow": FLOW})
        for count in COUNTS
    ),
)
