"""Whole runs, as a person starts them: time, memory, errors; the table on top of README."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.measures.running import (
    GIB,
    MVFLOW,
    STAGES,
    cpu_by_stage,
    errors,
    numbers,
    posed,
    run,
)
from benchmarks.measures.surface_alignment import aligned_by_surface
from benchmarks.piece import BUNDLED, Column, Piece, Place, Row, Table, markdown
from mvrecon.evaluation.run import evaluate_run

DEFAULT = "default"
SAMPLE = "sample"


@dataclass(frozen=True)
class Clip:
    """An input.

    Attributes:
        source: of the data.
        truth: folder with cameras.json; empty if there is none.
        what: for people, with seconds where it is a video.
    """

    source: str
    truth: str
    what: str

    @property
    def data(self) -> tuple[str, ...]:
        """All that decides the figures."""
        return (self.truth,) if self.source.startswith(f"{self.truth}/") else (
            tuple(name for name in (self.source, self.truth) if name)
        )  # fmt: skip


CLIPS: Mapping[str, Clip] = {
    SAMPLE: Clip(
        f"{BUNDLED}/clip.mp4", f"{BUNDLED}/ground_truth", "rendered desk, 2.7 s of video, 640 × 480"
    ),
    "livingroom_synthetic": Clip(
        "rgbd/livingroom_synthetic/images",
        "rgbd/livingroom_synthetic",
        "rendered room, 106 frames, 640 × 480",
    ),
    "redkitchen_100": Clip(
        "rgbd/redkitchen_100/images",
        "rgbd/redkitchen_100",
        "hand-held Kinect, 6.7 s, every other frame, 640 × 480",
    ),
    "phone_fox50": Clip(
        "posed/phone_fox50/images", "posed/phone_fox50", "phone, 50 frames of a video, 1080 × 1920"
    ),
    "strecha_fountain11": Clip(
        "posed/strecha_fountain11/images", "posed/strecha_fountain11", "11 photos of a fountain"
    ),
    "kitti_odometry_30": Clip(
        "posed/kitti_odometry_30/images", "posed/kitti_odometry_30", "from a car, 3 s, 1226 × 370"
    ),
    "cotracker_teddy": Clip("videos/cotracker_teddy.mp4", "", "phone, a toy that is moved"),
}
PRESETS: Mapping[str, Sequence[str]] = {
    "fast": (SAMPLE, "livingroom_synthetic", "redkitchen_100"),
    "quality": (SAMPLE, "livingroom_synthetic"),
}
# Elapsed time counts where the run was nearly all that the machine did.
QUIET = 0.9
# Stages that judge a run between the others.
JUDGES = ("mend_pose", "mend_depth")


def run_dir_of(place: Place, name: str, preset: str = DEFAULT) -> Path:
    """Where a clip's run is kept."""
    return place.runs / "clips" / (name if preset == DEFAULT else f"{name}-{preset}")


def finished_run(place: Place, name: str) -> Path:
    """The run of a clip with the default preset, made now if it is not there or old."""
    run_dir = run_dir_of(place, name)
    run(place.data(CLIPS[name].source), run_dir)
    return run_dir


def measure(place: Place, name: str, preset: str) -> list[Row]:
    """One row, of a run that finds nothing made before."""
    source, truth = place.data(CLIPS[name].source), CLIPS[name].truth
    run_dir = run_dir_of(place, name, preset)
    shutil.rmtree(run_dir, ignore_errors=True)
    cost = run(source, run_dir, "--preset", preset)
    again = run(source, run_dir, "--preset", preset)
    row: dict[str, Any] = {
        "set": name,
        "preset": preset,
        **posed(run_dir),
        "wall_s": cost.wall_s if cost.alone > QUIET else None,
        "cpu_s": cost.cpu_s,
        "stages": cpu_by_stage(run_dir, STAGES),
        "peak_gib": cost.peak_bytes / GIB,
        "again_s": again.cpu_s,
        "remedies": sum(int(numbers(run_dir, judge)["attempts"]) for judge in JUDGES),
        "focal_px": float(numbers(run_dir, "pose")["focal_px"]),
        "faces": int(numbers(run_dir, "surface")["faces"]),
    }
    if truth:
        row |= errors(run_dir, place.data(truth))
        if "f_score" in row:
            row["f_aligned"] = _aligned_f(run_dir, place.data(truth))
    return [row]


def _aligned_f(run_dir: Path, truth: Path) -> float | None:
    surface = evaluate_run(run_dir, truth, parts=("surface",)).surface
    assert surface is not None
    aligned = aligned_by_surface(run_dir, truth, (surface.errors.threshold,))
    return aligned.f_scores[0] if aligned else None


def _piece(name: str, preset: str) -> Piece:
    return Piece(
        f"clips/{name}/{preset}",
        partial(measure, name=name, preset=preset),
        STAGES,
        (MVFLOW,),
        CLIPS[name].data,
        {"preset": preset},
    )


TABLE = Table(
    "clips",
    "Whole runs",
    """
`mvrecon run INPUT [--preset P]`, given only the images, then `mvrecon eval`.

*wall s*: elapsed, with a worker a core; left out where the machine had other work beside.
*again*: CPU seconds of the same command once more. *posed*: of the key frames, in one model.
*remedies*: tried by the run itself ([mending](../docs/mending.md)). *ATE*: RMSE after Sim(3)
alignment. *AbsRel*, *coverage*: fused depth, scaled by the trajectory. *F*: at 1 % of the scene's
diameter; *aligned*: after aligning the mesh to the true surface itself, not by the cameras, for
poses a few millimetres off in scale decide a threshold of a centimetre. *PSNR*: `mesh.ply` with
its vertex colours over the key frames.

`redkitchen_100`: the colour camera is not registered to the depth camera that gave the reference,
and the reference poses are good to about 2 % of the path; depth and surface errors have a floor
of several per cent. `livingroom_synthetic`: the reference poses are a reconstruction from the
exact depth, not the rendering path, and do not fit the images to a third of a per cent.
`phone_fox50`: the reference is COLMAP's. The constants of depth's and flow's confidence were
fitted on some of these sets, not on the sample.
""",
    (
        Column("set", "set"),
        Column("preset", "preset"),
        Column("images", "images"),
        Column("posed", "posed"),
        Column("wall_s", "wall s", ".0f"),
        Column("cpu_s", "CPU s", ".0f"),
        Column("stages", f"of stages ({', '.join(STAGES)})"),
        Column("peak_gib", "peak GiB", ".2f"),
        Column("again_s", "again s", ".1f"),
        Column("remedies", "remedies"),
        Column("focal_px", "focal px", ".1f"),
        Column("ate_percent", "ATE %", ".3f"),
        Column("abs_rel", "AbsRel", ".4f"),
        Column("coverage", "coverage", ".3f"),
        Column("f_score", "F at 1 %", ".3f"),
        Column("precision", "precision", ".3f"),
        Column("recall", "recall", ".3f"),
        Column("f_aligned", "F, aligned", ".3f"),
        Column("psnr_db", "PSNR dB", ".1f"),
        Column("faces", "faces", ","),
    ),
    (
        *(_piece(name, DEFAULT) for name in CLIPS),
        *(_piece(name, preset) for preset, names in PRESETS.items() for name in names),
    ),
)


README_COLUMNS = (
    Column("what", "clip"),
    Column("posed", "key frames posed"),
    Column("wall_s", "elapsed, s", ".0f"),
    Column("cpu_s", "processor time, s", ".0f"),
    Column("peak_gib", "memory, GiB", ".1f"),
    Column("ate_percent", "path error, %", ".2f"),
    Column("f_score", "F", ".2f"),
    Column("f_aligned", "F, aligned", ".2f"),
)


def readme_block(rows: Mapping[str, Sequence[Row]], old: Mapping[str, bool]) -> str:
    """What a person wants to know, for README."""
    pieces = {name: f"clips/{name}/{DEFAULT}" for name in CLIPS}
    found = [
        {**row, "what": CLIPS[name].what + (" †" if old[piece] else "")}
        for name, piece in pieces.items()
        for row in rows.get(piece, ())
    ]
    timed = any(row.get("wall_s") is not None for row in found)
    columns = [column for column in README_COLUMNS if timed or column.key != "wall_s"]
    cells = [[column.text(row) for column in columns] for row in found]
    text = markdown([column.heading for column in columns], cells)
    if missing := [name for name, piece in pieces.items() if piece not in rows]:
        text += f"\nNot measured yet: {', '.join(missing)}.\n"
    if any(old.get(piece) for piece in pieces.values()):
        text += "\n† of an older state of the program than this one.\n"
    return text
