"""Clips through wide lenses, with nothing said of them: taken as they are, and mended.

python -m benchmarks.tools.wide_lenses --runs DIR [--textures DIR] [--lenses NAME,NAME]

Renders a furnished room through equidistant fisheyes and a lens with barrel distortion, with exact
poses and depth, and reconstructs each twice. Videos and runs that are there are not made again.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import mvrecon
from benchmarks.piece import markdown
from mvrecon.api import Run
from mvrecon.artifacts.mending import merged_changes
from mvrecon.evaluation.metrics.trajectory import align_centres, align_poses, trajectory_errors
from mvrecon.geometry.camera import Camera, FloatArray
from mvrecon.run_dir import RunRecord
from mvrecon.synthetic.clip import write_video
from mvrecon.synthetic.paths import HandArc
from mvrecon.synthetic.training.clips.posed_clips import draw_lighting
from mvrecon.synthetic.training.clips.render import ClipRenderer, texture_pyramid
from mvrecon.synthetic.training.clips.scenes import draw_scene
from mvrecon.synthetic.training.textures import some_textures

TABLE = Path(__file__).with_suffix(".md")
WIDTH, HEIGHT, FPS, FRAMES, CRF = 640, 480, 30, 72, 18
SCENE_SEED, PATH_SEED, NOISE = 7, 3, 0.006
PATH = HandArc((0.2, 0.1, 1.0), 0.9, (0.25, 0.45), from_deg=250.0, to_deg=300.0)
# Rays farther off the axis than this are not drawn.
WIDEST_RAD = math.radians(88)

HEADER = """# Wide lenses, with nothing said of them

Made by `python -m benchmarks.tools.wide_lenses --runs DIR --textures DIR`: a furnished room with
plain walls, rendered with exact poses and depth through equidistant fisheyes (of a field across the
width, in degrees; of the circle, across its height) and through a lens with barrel distortion
(k1 −0.28, k2 0.08). *as it is*: `--mend none`. *found*: the field that the run sees through. ATE in
percent of the path; AbsRel of fused depth under the scale of the poses, of all pixels with depth.

"""


@dataclass(frozen=True)
class Fisheye(Camera):
    """An equidistant one; `fx` is in pixels for each radian, and rays of 90° and more are cut."""

    def normalize(self, pixels_n2: FloatArray) -> FloatArray:
        """As of a pinhole camera."""
        plane_n2 = (pixels_n2 - [self.cx, self.cy]) / self.fx
        off_n1 = np.linalg.norm(plane_n2, axis=1, keepdims=True)
        return np.asarray(plane_n2 * np.tan(np.minimum(off_n1, WIDEST_RAD)) / off_n1)


def lens(name: str) -> Camera:
    """Of a name in `LENSES`."""
    kind, number = name.split("_")
    centre = (WIDTH - 1) / 2, (HEIGHT - 1) / 2
    if kind == "barrel":
        focal_px = 0.75 * WIDTH
        return Camera(
            WIDTH, HEIGHT, focal_px, focal_px, *centre, (-float(number) / 100, 0.08, 0, 0)
        )
    focal_px = (HEIGHT if kind == "circle" else WIDTH) / math.radians(float(number))
    return Fisheye(WIDTH, HEIGHT, focal_px, focal_px, *centre)


LENSES = ("fisheye_120", "fisheye_150", "circle_180", "barrel_28")


def main() -> None:
    """Render what is missing, run, compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=Path, required=True)
    parser.add_argument("--textures", type=Path, help="pictures to paint the room with")
    parser.add_argument("--lenses", default=",".join(LENSES))
    options = parser.parse_args()
    rng = np.random.default_rng(SCENE_SEED)
    scene = draw_scene(rng, "room", ())
    textures = texture_pyramid(some_textures(options.textures))
    room = ClipRenderer(scene, textures, draw_lighting(scene, rng))
    poses_n44 = PATH.poses(np.arange(FRAMES) / FPS, PATH_SEED)
    rows = []
    for name in options.lenses.split(","):
        video = options.runs / f"{name}.mp4"
        if not video.is_file():
            images = pictures(room, name, poses_n44)
            write_video(video, images, (WIDTH, HEIGHT), FPS, CRF)
        for mode, told in (("none", "as it is"), ("auto", "mended")):
            run = mvrecon.run(
                video, video.with_suffix(""), until="fusion", workers=1, mend={"mode": mode}
            )
            rows.append([name, told, *figures(run, room, poses_n44)])
    headings = ["lens", "", "found", "posed", "ATE %", "rotation °", "AbsRel", "within 5 %"]
    TABLE.write_text(HEADER + markdown(headings, rows))
    print(TABLE.read_text())


def pictures(room: ClipRenderer, name: str, poses_n44: FloatArray) -> Iterator[NDArray[np.uint8]]:
    """What the lens shows, with noise; outside a circle nothing."""
    camera, rng = lens(name), np.random.default_rng(1)
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    is_lit_hw = np.hypot(x - camera.cx, y - camera.cy) < HEIGHT / 2 - 1
    for pose in poses_n44:
        picture_hw3 = np.clip(0.9 * room.image(camera, pose), 0, 1)
        picture_hw3 = picture_hw3 + rng.normal(0, NOISE, picture_hw3.shape)
        if name.startswith("circle"):
            picture_hw3 = picture_hw3 * is_lit_hw[..., None]
        yield np.round(255 * np.clip(picture_hw3, 0, 1)).astype(np.uint8)


def figures(run: Run, room: ClipRenderer, poses_n44: FloatArray) -> list[str]:
    """Of a run, as the table has them."""
    frames = list(run.cameras.values())
    changes = merged_changes(RunRecord.load(run.folder).mendings)
    truth_n44 = poses_n44[[round(frame.timestamp_s * FPS) for frame in frames]]
    found_n44 = np.stack([frame.world_from_cam for frame in frames])
    by_poses = align_poses(found_n44, truth_n44)
    errors = trajectory_errors(found_n44, truth_n44, align_centres(found_n44, truth_n44), by_poses)
    relative = []
    for frame in frames:
        depth = run.depth(frame.name)
        height, width = depth.depth_hw.shape
        pose_44 = by_poses.apply_to_pose(frame.world_from_cam)
        true_hw = room.triangles.depth(frame.camera.scaled(width, height), pose_44)
        both_hw = (depth.depth_hw > 0) & (true_hw > 0)
        ratio_n = by_poses.scale * depth.depth_hw[both_hw] / true_hw[both_hw]
        relative.append(np.abs(ratio_n - 1))
    relative_n = np.concatenate(relative)
    return [
        str(changes.get("frames", {}).get("field_deg", "–")),
        f"{len(frames)}",
        f"{errors.ate_percent_of_path:.3f}",
        f"{errors.rotation_mean_deg:.3f}",
        f"{relative_n.mean():.4f}",
        f"{(relative_n < 0.05).mean():.3f}",
    ]


if __name__ == "__main__":
    main()
