"""A rendered clip on disk: the video and its ground truth as a posed set."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
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
from mvrecon.synthetic.scene import BakedScene
from mvrecon.synthetic.sensor import Sensor

DEPTH_SCALE = 10_000.0
CONVENTION = "c2w is world_from_cam (4x4), OpenCV axes: x right, y down, z forward"


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


def write_mesh(path: Path, mesh: o3d.geometry.TriangleMesh) -> None:
    """Write the geometry as binary PLY in single precision."""
    o3d.t.io.write_triangle_mesh(path, o3d.t.geometry.TriangleMesh.from_legacy(mesh))


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
    write_mesh(folder / "mesh.ply", scene.mesh())
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
