"""A rendered clip on disk: what a sensor takes, the video, its ground truth as a posed set."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import open3d as o3d
from numpy.typing import NDArray

from mvrecon.formats.images import write_png
from mvrecon.geometry.camera import Camera
from mvrecon.synthetic.render import View, render_depth, render_radiance
from mvrecon.synthetic.scene import DISPLAY_GAMMA, BakedScene

DEPTH_SCALE = 10_000.0
CONVENTION = "c2w is world_from_cam (4x4), OpenCV axes: x right, y down, z forward"


@dataclass(frozen=True)
class Sensor:
    """A small camera's sensor.

    Attributes:
        exposure: factor on the light.
        exposure_drift: relative swing of the exposure over a clip.
        vignetting: share of the light lost in the corners.
        read_noise: standard deviation in the dark, of full scale.
        shot_noise: standard deviation at full scale.
        seed: of the noise.
    """

    exposure: float = 1.0
    exposure_drift: float = 0.02
    vignetting: float = 0.15
    read_noise: float = 0.002
    shot_noise: float = 0.008
    seed: int = 0

    def develop(self, radiance_hw3: NDArray[np.float32], frame: int) -> NDArray[np.uint8]:
        """The picture (h, w, 3) that the sensor gives of linear light as frame `frame`."""
        height, width = radiance_hw3.shape[:2]
        y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
        falloff_hw1 = 1 - self.vignetting * ((x**2 + y**2) / 2)[..., None] ** 1.5
        swing = 1 + self.exposure_drift * np.sin(0.11 * frame + self.seed)
        light_hw3 = radiance_hw3 * falloff_hw1 * (self.exposure * swing)
        deviation_hw3 = np.sqrt(self.read_noise**2 + self.shot_noise**2 * light_hw3)
        rng = np.random.default_rng([self.seed, frame])
        light_hw3 = light_hw3 + deviation_hw3 * rng.standard_normal(light_hw3.shape)
        # A film-like shoulder keeps highlights from clipping.
        light_hw3 = np.clip(light_hw3, 0, None)
        display_hw3 = (light_hw3 / (1 + 0.15 * light_hw3)).clip(0, 1) ** (1 / DISPLAY_GAMMA)
        return np.asarray(np.round(255 * display_hw3), np.uint8)


def render_frames(
    scene: BakedScene, views: Sequence[View], sensor: Sensor, supersampling: int = 3
) -> Iterator[NDArray[np.uint8]]:
    """The RGB pictures (h, w, 3) that a sensor takes along a path."""
    for number, view in enumerate(views):
        yield sensor.develop(render_radiance(scene, view, supersampling), number)


def write_video(
    path: Path, images: Iterator[NDArray[np.uint8]], size: tuple[int, int], fps: int, crf: int
) -> None:
    """Encode RGB pictures as H.264.

    Args:
        path: of the .mp4.
        images: (h, w, 3) each.
        size: width and height, even numbers.
        fps: frames a second.
        crf: constant rate factor of x264, lower is better and larger.
    """
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=fps)
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        stream.options = {"crf": str(crf), "preset": "slow"}
        for number, image_hw3 in enumerate(images):
            frame = av.VideoFrame.from_ndarray(image_hw3, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, fps)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def write_ground_truth(
    folder: Path,
    scene: BakedScene,
    views: Sequence[View],
    times_s: NDArray[np.float64],
    *,
    depth_every: int,
    video: Path,
) -> None:
    """Write `cameras.json`, `mesh.ply` and some depth maps.

    An entry of `cameras.json` stands for the video frame of the same position; its `file`
    is the frame's number, as there is no image file.

    Args:
        folder: created if missing.
        scene: what the mesh and the depths are of.
        views: one for each frame.
        times_s: presentation time of each frame.
        depth_every: distance of the frames that get a depth map.
        video: named in `cameras.json`, relative to `folder`.
    """
    (folder / "depth").mkdir(parents=True, exist_ok=True)
    # Of single precision.
    mesh = o3d.t.geometry.TriangleMesh.from_legacy(scene.mesh())
    o3d.t.io.write_triangle_mesh(folder / "mesh.ply", mesh)
    frames = []
    for number, (view, time_s) in enumerate(zip(views, times_s, strict=True)):
        frame: dict[str, Any] = {
            "file": f"{number:06d}",
            **_camera_entry(view.camera),
            "t": round(float(time_s), 6),
        }
        frame["c2w"] = np.round(view.world_from_cam, 9).tolist()
        if number % depth_every == 0:
            depth_file = f"depth/{number:06d}.png"
            frame["depth"] = depth_file
            depth_hw = np.round(render_depth(scene, view) * DEPTH_SCALE)
            write_png(folder / depth_file, depth_hw.astype(np.uint16))
        frames.append(frame)
    header = {
        "convention": CONVENTION,
        "units": "metres",
        "depth_scale": DEPTH_SCALE,
        "mesh": "mesh.ply",
        "video": os.path.relpath(video, folder),
    }
    lines = ",\n".join(json.dumps(frame) for frame in frames)
    text = json.dumps(header)[:-1] + ', "frames": [\n' + lines + "\n]}\n"
    (folder / "cameras.json").write_text(text)


def _camera_entry(camera: Camera) -> dict[str, object]:
    return {
        "w": camera.width,
        "h": camera.height,
        "fx": camera.fx,
        "fy": camera.fy,
        "cx": camera.cx,
        "cy": camera.cy,
    }
