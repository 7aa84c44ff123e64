"""Poses of cameras that are not ordinary: a rolling shutter, a zoom, and neither.

One hand-held path over the desk is rendered three times: all rows at once, each row from its own
pose (the read-out takes the whole time to the next frame), and with a focal length that grows by
30 %. Each clip is posed with and without allowing for unusual cameras; so are real sequences.
"""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.measures.clips import CLIPS, finished_run
from benchmarks.measures.running import MVFLOW, POSE_STAGES, errors, numbers, recorded, run
from benchmarks.piece import BUNDLED, Column, Piece, Place, Row, Table
from mvrecon.synthetic.clip import Sensor, render_frames, write_ground_truth, write_video
from mvrecon.synthetic.shutter import film
from sample_data.desk import DESK_CAMERA, DESK_PATH, desk_scene

FPS, FRAMES, SEED, CRF = 30, 81, 3, 18
ZOOM = 1.3
KINDS = ("global", "rolling", "zoom")
REAL = ("phone_fox50", "redkitchen_100")


def render(kind: str, folder: Path) -> None:
    """One clip with its ground truth, which is of the middle rows."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    times_s = np.arange(FRAMES) / FPS
    growth = np.arange(FRAMES) / (FRAMES - 1)
    views = film(
        DESK_PATH,
        DESK_CAMERA,
        times_s,
        SEED,
        readout_s=1 / FPS if kind == "rolling" else 0.0,
        focal_factors=list(1 + (ZOOM - 1) * growth) if kind == "zoom" else None,
    )
    scene, video = desk_scene(), folder / "clip.mp4"
    truth = folder / "ground_truth"
    write_ground_truth(truth, scene, views, times_s, depth_every=20, video=video)
    images = render_frames(scene, views, Sensor(exposure=1.5), supersampling=2)
    temporary = folder / "partial.mp4"
    write_video(temporary, images, (DESK_CAMERA.width, DESK_CAMERA.height), FPS, CRF)
    temporary.replace(video)


def measure(place: Place, name: str) -> list[Row]:
    """Without and with allowing for unusual cameras, on the same flow."""
    if name in REAL:
        run_dir = finished_run(place, name)
        source, truth = place.data(CLIPS[name].source), place.data(CLIPS[name].truth)
    else:
        folder, run_dir = place.runs / "cameras" / name, place.runs / "cameras" / f"{name}-run"
        if not (folder / "clip.mp4").is_file():
            render(name, folder)
        source, truth = folder / "clip.mp4", folder / "ground_truth"
    rows: list[Row] = []
    for allowed in ("false", "true"):
        options = ("--mend=none", f"--pose.mapping.unusual_cameras={allowed}")
        run(source, run_dir, "--until", "pose", *options)
        said = numbers(run_dir, "pose")
        rows.append(
            {
                "set": name,
                "allowed": allowed,
                **errors(run_dir, truth, "trajectory"),
                "focal_px": float(said["focal_px"]),
                "error_px": float(said["mean_reprojection_error_px"]),
                "readout": said.get("readout_share_of_frame_time"),
                "zoom": said.get("zoom"),
                "cpu_s": recorded(run_dir, "pose")["cpu_s"],
            }
        )
    return rows


TABLE = Table(
    "cameras",
    "Cameras that are not ordinary",
    """
Three clips of the sample's desk, rendered along one hand-held path: *global* shutter, *rolling*
shutter whose read-out takes the whole time of a frame, *zoom* by 1.3; and real sets. Posed with
and without `--pose.mapping.unusual_cameras`. The rendered ones have a true focal length of 560 px
at the beginning.
""",
    (
        Column("set", "clip"),
        Column("allowed", "unusual cameras"),
        Column("ate_percent", "ATE %", ".4f"),
        Column("focal_px", "focal px", ".1f"),
        Column("error_px", "error px", ".3f"),
        Column("readout", "read-out, of the frame time", ".2f"),
        Column("zoom", "zoom", ".2f"),
        Column("cpu_s", "CPU s of pose", ".1f"),
    ),
    tuple(
        Piece(
            f"cameras/{name}",
            partial(measure, name=name),
            POSE_STAGES,
            (MVFLOW,),
            CLIPS[name].data if name in REAL else (f"{BUNDLED}/desk.py",),
        )
        for name in (*KINDS, *REAL)
    ),
)
