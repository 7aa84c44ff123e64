"""Poses next to pycolmap's own pipeline on the same images: time, accuracy, drift."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.measures.clips import CLIPS, finished_run
from benchmarks.measures.poses.figures import PoseFigures, pose_figures
from benchmarks.measures.poses.peer import MAX_FEATURES, MAX_SIZE_PX, THREADS
from benchmarks.measures.running import MVFLOW, POSE_STAGES, STAGES, numbers, recorded, run
from benchmarks.piece import REPOSITORY, Column, Piece, Place, Row, Table
from mvrecon.evaluation.metrics.drift import PART_LENGTHS
from mvrecon.evaluation.run.files import read_key_frames
from mvrecon.formats.colmap.files import read_model
from mvrecon.formats.trajectory import read_trajectory

KITCHEN_500 = "redkitchen_500"


@dataclass(frozen=True)
class Images:
    """A set to pose.

    Attributes:
        folder: of the data, with `images/`.
        kind: that pycolmap is told; ours finds out itself.
        step: every so manieth image is taken.
        thins: whether ours chooses key frames of them; else every image is one anyway.
    """

    folder: str
    kind: str = "sequence"
    step: int = 1
    thins: bool = False


SETS = {
    "phone_fox50": Images("posed/phone_fox50"),
    "livingroom_synthetic": Images("rgbd/livingroom_synthetic", thins=True),
    "redkitchen_100": Images("rgbd/redkitchen_100", thins=True),
    "kitti_odometry_30": Images("posed/kitti_odometry_30"),
    "strecha_fountain11": Images("posed/strecha_fountain11", "photos"),
    KITCHEN_500: Images("rgbd/redkitchen_500", step=4, thins=True),
}


def measure_peer(place: Place, name: str, frames: str) -> list[Row]:
    """Pycolmap's row, on all images or on the key frames of ours."""
    one = SETS[name]
    images = _images(place, name)
    if frames == "key":
        chosen = [images / frame.source for frame in read_key_frames(_run_dir(place, name))]
        images = _linked(place, f"{name}_key", chosen)
    work = place.runs / "pycolmap" / images.name
    command = [sys.executable, "-m", "benchmarks.measures.poses.peer"]
    command += [str(images), str(work), one.kind]
    done = subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True, text=True)
    cpu_s = tuple(json.loads(done.stdout.splitlines()[-1]).values())
    given = len(list(images.iterdir()))
    if not (work / "model").is_dir():
        return [_row({"set": name, "frames": frames, "by": "pycolmap"}, cpu_s, given, None)]
    model = read_model(work / "model")
    figures = pose_figures(model, place.data(one.folder))
    row = _row({"set": name, "frames": frames, "by": "pycolmap"}, cpu_s, given, figures)
    focal_px = next(iter(model.cameras.values())).fx
    return [row | {"focal_px": focal_px, "error_px": float(model.error_px_n.mean())}]


def measure_ours(place: Place, name: str, frames: str) -> list[Row]:
    """Our row, of the key frames as a user runs it, or with all frames between them posed."""
    run_dir = _run_dir(place, name)
    if frames == "all":
        source = place.data(CLIPS[name].source) if name in CLIPS else _images(place, name)
        run(source, run_dir, "--until", "pose", "--pose.all_frames=true")
    model = read_model(run_dir / "colmap")
    sources = {frame.name: frame.source for frame in read_key_frames(run_dir)}
    named = [replace(image, name=sources[Path(image.name).stem]) for image in model.images]
    figures = pose_figures(
        replace(model, images=tuple(named)), place.data(SETS[name].folder), poses_of_run(run_dir)
    )
    given = len(sources) if frames == "key" else len(list(_images(place, name).iterdir()))
    cpu_s = tuple(recorded(run_dir, stage)["cpu_s"] for stage in POSE_STAGES)
    row = _row({"set": name, "frames": frames, "by": "ours"}, cpu_s, given, figures)
    focal_px = float(numbers(run_dir, "pose")["focal_px"])
    return [row | {"focal_px": focal_px, "error_px": float(model.error_px_n.mean())}]


def _run_dir(place: Place, name: str) -> Path:
    """A run with the default options."""
    if name in CLIPS:
        return finished_run(place, name)
    run_dir = place.runs / "clips" / name
    run(_images(place, name), run_dir, "--until", "pose")
    return run_dir


def _images(place: Place, name: str) -> Path:
    files = sorted((place.data(SETS[name].folder) / "images").iterdir())
    return _linked(place, name, files[:: SETS[name].step])


def _linked(place: Place, name: str, files: Iterable[Path]) -> Path:
    folder = place.runs / "images" / name
    files = [file.resolve() for file in files]
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for file in files:
        (folder / file.name).symlink_to(file)
    return folder


def poses_of_run(run_dir: Path) -> dict[str, NDArray[np.float64]]:
    """World_from_cam by source of all posed frames of a run, key frames or not."""
    with (run_dir / "frames.csv").open(newline="") as file:
        posed = [row["source"] for row in csv.DictReader(file) if row["posed"] == "1"]
    poses = read_trajectory(run_dir / "trajectory.txt").world_from_cam_n44
    return dict(zip(posed, poses, strict=True))


def _row(
    what: Row,
    cpu_s: Sequence[float],
    given: int,
    figures: PoseFigures | None,
) -> dict[str, Any]:
    row: dict[str, Any] = {
        **what,
        "cpu_s": sum(cpu_s),
        "steps": ", ".join(f"{one:.0f}" for one in cpu_s),
        "posed": f"{figures.posed if figures else 0} of {given}",
    }
    if figures is None:
        return row
    parts = [f"{part:.2f}".replace("nan", "–") for part in figures.part_ates]
    row |= {
        "ate_percent": figures.ate_percent,
        "offset_percent": figures.offset_ate_percent,
        "parts": ", ".join(parts),
    }
    if drift := figures.drift:
        row |= {"scale": f"{drift.trend_percent:+.1f}, {drift.spread_percent:.1f}"}
    return row


def _pieces(name: str, one: Images) -> list[Piece]:
    whole = STAGES if name in CLIPS else POSE_STAGES
    ours = {"stages": whole, "weights": (MVFLOW,), "data": (one.folder,)}
    settings = {"step": one.step}
    peer = {
        "max_size_px": MAX_SIZE_PX,
        "max_features": MAX_FEATURES,
        "threads": THREADS,
        "kind": one.kind,
        "step": one.step,
    }
    kinds = ("all", "key") if one.thins else ("key",)
    pieces = [
        Piece(
            f"poses/{name}/pycolmap-all",
            partial(measure_peer, name=name, frames="all"),
            data=(one.folder,),
            settings=peer,
        )
    ]
    for frames in kinds:
        measure = partial(measure_ours, name=name, frames=frames)
        pieces.append(Piece(f"poses/{name}/ours-{frames}", measure, settings=settings, **ours))
    if one.thins:
        measure = partial(measure_peer, name=name, frames="key")
        pieces.append(Piece(f"poses/{name}/pycolmap-key", measure, settings=peer, **ours))
    return pieces


COLUMNS = (
    Column("set", "set"),
    Column("frames", "images"),
    Column("by", "by"),
    Column("posed", "posed"),
    Column("cpu_s", "CPU s", ".0f"),
    Column("steps", "of steps"),
    Column("ate_percent", "ATE %", ".3f"),
    Column("offset_percent", "with offset %", ".3f"),
    Column("parts", f"over {', '.join(map(str, PART_LENGTHS))} %"),
    Column("focal_px", "focal px", ".1f"),
    Column("error_px", "error px", ".2f"),
    Column("scale", "scale trend, spread %"),
)
TABLE = Table(
    "poses",
    "Poses beside pycolmap's",
    f"""
*pycolmap* (its version stands below): SIFT (≤ {MAX_FEATURES:,} features, ≤ {MAX_SIZE_PX} px),
sequential matching (exhaustive for photos), incremental mapping, one shared camera, {THREADS}
threads, else its defaults; the largest model; CPU seconds of SIFT, matching, mapping; on *all*
images, and on the *key* frames that ours chose. *ours*: `mvrecon run IMAGES` with the default
preset; CPU seconds of frames, flow, pose; on *key* frames as a user runs it (all images, where it
keeps them all); *all*: with `--pose.all_frames true`, which poses the images in between, too. Of
{KITCHEN_500} every {SETS[KITCHEN_500].step}th image is given to both.

*ATE*: RMSE after Sim(3) alignment, of the path through the true cameras that are compared. *With
offset*: after fitting a constant shift between camera and reference, too: redkitchen's poses are
of the depth camera, which is not where the colour camera is. *Over*: ATE over parts of so many
units of the set (metres; not of fox and fountain), each aligned by itself, of the length.
*Error*: mean reprojection error. *Scale*: trend and spread along the path of each frame's median
of true depth over that of its sparse points.

With two threads pycolmap's matches, and so its poses, differ from run to run in spite of the
seed: of five runs on phone_fox50 some ended at 3.1 %, the others at 0.03 %.
""",
    COLUMNS,
    tuple(piece for name, one in SETS.items() for piece in _pieces(name, one)),
)
