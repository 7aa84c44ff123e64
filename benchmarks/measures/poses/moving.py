"""Share of the pictures that is masked as moving: of clips of still things, and of others."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measures.clips import CLIPS, finished_run
from benchmarks.measures.poses.static_clips import STATIC_CLIPS, clip_path
from benchmarks.measures.running import MVFLOW, POSE_STAGES, STAGES, latest, numbers, posed, run
from benchmarks.piece import Column, Piece, Place, Row, Table
from mvrecon.formats.images import read_pixels

# Of the whole runs: what moves there.
REAL: Mapping[str, str] = {
    "sample": "nothing",
    "phone_fox50": "nothing",
    "redkitchen_100": "nothing",
    "livingroom_synthetic": "nothing",
    "strecha_fountain11": "nothing",
    "kitti_odometry_30": "perhaps cars",
    "cotracker_teddy": "a toy, and the arms that move it",
}
VIDEOS: Mapping[str, tuple[str, str]] = {
    "vggt_room": ("videos/vggt_room.mp4", "nothing"),
    "vda_Tokyo-Walk": ("videos/vda_Tokyo-Walk_rgb.mp4", "people"),
}
WHITE = 127


def measure_real(place: Place, name: str) -> list[Row]:
    """Of a whole run."""
    return [_row(finished_run(place, name), name, REAL[name])]


def measure_clip(place: Place, name: str) -> list[Row]:
    """Of a rendered clip, or of a video, posed now."""
    if name in VIDEOS:
        source, moves = place.data(VIDEOS[name][0]), VIDEOS[name][1]
    else:
        source, moves = clip_path(place.runs / "static", name), "nothing"
    run_dir = place.runs / "moving" / name.replace(" ", "_")
    run(source, run_dir, "--until", "pose", "--mend=none")
    return [_row(run_dir, name, moves)]


def _row(run_dir: Path, name: str, moves: str) -> dict[str, Any]:
    pose = latest(run_dir, "pose")
    masks = [pose.path(item) for item in pose.names("moving/")]
    shares = [float((read_pixels(path, "grey") > WHITE).mean()) for path in masks]
    return {
        "set": name,
        "moves": moves,
        "mean": float(np.mean(shares)) if shares else None,
        "most": max(shares, default=None),
        "still": float(numbers(run_dir, "pose")["still_percent"]) / 100,
        "trusted": float(numbers(run_dir, "flow")["mean_confidence"]),
        "posed": posed(run_dir)["posed"],
    }


TABLE = Table(
    "moving",
    "What is masked as moving",
    """
*Masked*: of all pixels of the posed key frames. The rendered clips (*drone* to *turning*) show
hills in which nothing moves, each hard in a way of its own. No truth is known of the real ones;
rendered things that move are in `tests/stages/pose/moving` (at least 90 % of them masked, at most
0.2 % of the rest). *seen to be still*: pixels whose trusted flow one still scene explains.
""",
    (
        Column("set", "clip"),
        Column("moves", "what moves"),
        Column("mean", "masked, mean", ".2%"),
        Column("most", "masked, most of a frame", ".2%"),
        Column("still", "seen to be still", ".0%"),
        Column("trusted", "flow trusted", ".0%"),
        Column("posed", "key frames posed"),
    ),
    (
        *(
            Piece(
                f"moving/{name}", partial(measure_real, name=name), STAGES, (MVFLOW,),
                CLIPS[name].data,
            )
            for name in REAL
        ),
        *(
            Piece(
                f"moving/{name.replace(' ', '-')}", partial(measure_clip, name=name),
                POSE_STAGES, (MVFLOW,), (VIDEOS[name][0],) if name in VIDEOS else (),
            )
            for name in (*STATIC_CLIPS, *VIDEOS)
        ),
    ),
)  # fmt: skip
