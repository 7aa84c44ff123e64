"""Processor time and memory for each key frame as a video gets longer; long_input.md and .svg.

A camera walks two rounds through a rendered room, each frame is a key frame.

python -m benchmarks.long_input --runs DIR [--counts 50,200,1000] [--flow-model dis] [--keep]
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.common import REPOSITORY, markdown, recorded
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

TABLE = Path(__file__).with_suffix(".md")
PLOT = Path(__file__).with_suffix(".svg")
GIB = 1024**3
FPS = 20
CAMERA = Camera(320, 240, 260.0, 260.0, 159.5, 119.5)
ROOM_M = (7.0, 7.0, 2.6)
RADIUS_M = 2.0
FRAMES_A_ROUND = 500
STAGES = ("frames", "flow", "pose")
COLUMNS = ("key frames", *STAGES, "together", "peak GiB", "posed", "ATE %")

HEADER = """# Long input

Made by `python -m benchmarks.long_input --runs DIR --counts {counts} --flow-model {flow}`;
{cores} CPU cores. A camera walks rounds of {round} frames through a rendered room ({width} ×
{height} px); every frame is a key frame. CPU seconds for each key frame, all threads and children;
*peak*: of the largest process of the three stages; *ATE*: RMSE after Sim(3) alignment, of the path.

![CPU seconds for each key frame](long_input.svg)

"""


@dataclass(frozen=True)
class Row:
    """One length: key frames, CPU seconds by stage, peak bytes, posed frames, ATE in percent."""

    count: int
    cpu_s: tuple[float, ...]
    peak_bytes: int
    posed: int
    ate_percent: float


def main() -> None:
    """Render, run, write the table and the plot."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=Path, required=True, help="where the video and the runs go")
    parser.add_argument("--counts", default="50,200,1000", help="key frames")
    parser.add_argument("--flow-model", default="dis", help="dis: the cheapest")
    parser.add_argument("--keep", action="store_true", help="take the runs that are there")
    options = parser.parse_args()
    counts = [int(part) for part in options.counts.split(",")]
    poses = walk(max(counts))
    video = options.runs / f"walk_{max(counts)}.mp4"
    options.runs.mkdir(parents=True, exist_ok=True)
    if not video.is_file():
        temporary = video.with_name(f"partial_{video.name}")
        write_video(temporary, _pictures(poses), (CAMERA.width, CAMERA.height), FPS, crf=14)
        temporary.replace(video)
    rows: list[Row] = []
    for count in counts:
        run_dir = options.runs / f"run_{count}_{options.flow_model}"
        if not (options.keep and (run_dir / "trajectory.txt").exists()):
            _run(video, run_dir, count, options.flow_model)
        rows.append(_measure(run_dir, count, poses))
        TABLE.write_text(_page(rows, options.flow_model))
        PLOT.write_text(_plot(rows))
    print(TABLE.read_text())


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


def _run(video: Path, run_dir: Path, count: int, flow_model: str) -> None:
    command = [sys.executable, "-m", "mvrecon", "run", str(video), "-o", str(run_dir)]
    command += ["--until", "pose", "--rerun-all", "--frames.every_frame=true"]
    command += [f"--frames.end_s={(count - 0.5) / FPS}"]
    command += [f"--flow.model={flow_model}"]
    subprocess.run(command, cwd=REPOSITORY, check=True, stdout=subprocess.DEVNULL)


def _measure(run_dir: Path, count: int, poses: Sequence[NDArray[np.float64]]) -> Row:
    costs = [recorded(run_dir, stage) for stage in STAGES]
    posed = [frame for frame in read_key_frames(run_dir) if frame.world_from_cam is not None]
    estimate_n44 = np.stack([frame.world_from_cam for frame in posed])
    truth_n44 = np.stack([poses[int(frame.source)] for frame in posed])
    moved_n3 = align_centres(estimate_n44, truth_n44).apply(estimate_n44[:, :3, 3])
    error_n = np.linalg.norm(moved_n3 - truth_n44[:, :3, 3], axis=1)
    path = float(np.linalg.norm(np.diff(truth_n44[:, :3, 3], axis=0), axis=1).sum())
    return Row(
        count,
        tuple(cost["cpu_s"] for cost in costs),
        max(cost["peak_bytes"] for cost in costs),
        len(posed),
        100 * float(np.sqrt((error_n**2).mean())) / path,
    )


def _page(rows: Sequence[Row], flow_model: str) -> str:
    header = HEADER.format(
        flow=flow_model,
        counts=",".join(str(row.count) for row in rows),
        cores=os.cpu_count(),
        round=FRAMES_A_ROUND,
        width=CAMERA.width,
        height=CAMERA.height,
    )
    cells = [
        [
            str(row.count),
            *(f"{cpu_s / row.count:.3f}" for cpu_s in (*row.cpu_s, sum(row.cpu_s))),
            f"{row.peak_bytes / GIB:.2f}",
            str(row.posed),
            f"{row.ate_percent:.3f}",
        ]
        for row in rows
    ]
    return header + markdown(COLUMNS, cells)


def _plot(rows: Sequence[Row]) -> str:
    """CPU seconds for each key frame over the number of key frames, one line a stage."""
    width, height, left, bottom = 520, 300, 60, 40
    most_s = 1.1 * max(max(row.cpu_s) / row.count for row in rows)
    span = max(np.log(rows[-1].count / rows[0].count), 1e-9)

    def place(count: int, each_s: float) -> tuple[float, float]:
        x = left + (width - left - 90) * float(np.log(count / rows[0].count)) / float(span)
        return x, (height - bottom) * (1 - each_s / most_s) + 5

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}"'
        ' font-family="sans-serif" font-size="12"><rect width="100%" height="100%" fill="white"/>'
    ]
    for each_s in np.linspace(0, most_s, 5):
        _, y = place(rows[0].count, float(each_s))
        parts.append(f'<path d="M{left} {y:.1f}H{width - 90}" stroke="#ddd"/>')
        parts.append(f'<text x="{left - 6}" y="{y + 4:.1f}" text-anchor="end">{each_s:.2f}</text>')
    for stage, colour in zip(STAGES, ("#888", "#27c", "#c52"), strict=True):
        index = STAGES.index(stage)
        points = [place(row.count, row.cpu_s[index] / row.count) for row in rows]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
        x, y = points[-1]
        parts.append(f'<text x="{x + 8:.1f}" y="{y + 4:.1f}" fill="{colour}">{stage}</text>')
    for row in rows:
        x, _ = place(row.count, 0.0)
        parts.append(f'<text x="{x:.1f}" y="{height - 18}" text-anchor="middle">{row.count}</text>')
    caption = "key frames; CPU seconds for each"
    parts.append(f'<text x="{left}" y="{height - 2}">{caption}</text></svg>')
    return "\n".join(parts) + "\n"


if __name__ == "__main__":
    main()
