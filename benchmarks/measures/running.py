"""Runs of the program, what they cost, and their errors, as the tables take them."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.piece import REPOSITORY
from mvrecon.engine.store import Artifact, Store
from mvrecon.evaluation.run import evaluate_run

GIB = 1024**3
POSE_STAGES = ("frames", "flow", "pose")
STAGES = (*POSE_STAGES, "depth", "fusion", "surface", "texture")
MVFLOW = "flow/mvflow.pt"
# Column → where a run's evaluation has the figure.
FIGURES: Mapping[str, tuple[str, ...]] = {
    "ate_percent": ("trajectory", "ate_percent_of_path"),
    "rotation_deg": ("trajectory", "rotation_mean_deg"),
    "abs_rel": ("depth", "trajectory_scale", "abs_rel"),
    "median_rel": ("depth", "trajectory_scale", "median_rel"),
    "delta_125": ("depth", "trajectory_scale", "delta_125"),
    "coverage": ("depth", "trajectory_scale", "coverage"),
    "abs_rel_own_scale": ("depth", "median_scale", "abs_rel"),
    "abs_rel_80": ("depth", "abs_rel_by_coverage", "0.8"),
    "flicker": ("depth", "flicker"),
    "f_score": ("surface", "errors", "f_score"),
    "precision": ("surface", "errors", "precision"),
    "recall": ("surface", "errors", "recall"),
    "psnr_db": ("image", "errors", "psnr_db"),
}


@dataclass(frozen=True)
class Cost:
    """Of a process with its children.

    Attributes:
        wall_s: elapsed.
        cpu_s: of processors.
        peak_bytes: memory of the largest of them.
        alone: its share of all that the machine's processors did meanwhile, 0…1.
    """

    wall_s: float
    cpu_s: float
    peak_bytes: int
    alone: float


def run(source: Path, run_dir: Path, *options: str, command: str = "run") -> Cost:
    """`mvrecon run`; stages that an earlier call left in parts begin anew, so that costs are whole.

    Raises:
        RuntimeError: it failed, with its last words.
    """
    for partial in run_dir.glob("store/*/*.partial"):
        shutil.rmtree(partial)
    words = [sys.executable, "-m", "mvrecon", command, str(source), "-o", str(run_dir), "-q"]
    started, busy_s = time.monotonic(), _busy_s()
    with tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen([*words, *options], cwd=REPOSITORY, stdout=said, stderr=said)
        try:
            _, status, used = os.wait4(process.pid, 0)
        except BaseException:  # interrupted: the run must not go on without us
            process.terminate()
            process.wait()
            raise
        process.returncode = os.waitstatus_to_exitcode(status)
        if status:
            said.seek(0)
            raise RuntimeError(f"{' '.join(words[2:])}: {said.read()[-500:]}")
    wall_s = time.monotonic() - started
    cpu_s = used.ru_utime + used.ru_stime
    alone = min(cpu_s / max(_busy_s() - busy_s, 1e-9), 1.0)
    return Cost(wall_s, cpu_s, used.ru_maxrss * 1024, alone)


def _busy_s() -> float:
    """Seconds since it was started that all processors of the machine worked; 0 if not told."""
    try:
        ticks = [int(word) for word in Path("/proc/stat").read_text().split(maxsplit=9)[1:9]]
    except (OSError, ValueError):
        return 0.0
    user, nice, system, _, _, interrupts, soft_interrupts, _ = ticks
    return (user + nice + system + interrupts + soft_interrupts) / os.sysconf("SC_CLK_TCK")


def latest(run_dir: Path, stage: str) -> Artifact:
    """The newest result of a stage, which must be there."""
    artifact = Store(run_dir / "store").latest(stage)
    if artifact is None:
        raise RuntimeError(f"{run_dir} has no result of the stage {stage}")
    return artifact


def recorded(run_dir: Path, stage: str) -> Mapping[str, Any]:
    """What a stage cost when its newest result was made: wall_s, cpu_s, peak_bytes."""
    found: Mapping[str, Any] = latest(run_dir, stage).manifest["recorded"]
    return found


def numbers(run_dir: Path, stage: str) -> Mapping[str, Any]:
    """The numbers of a stage's summary."""
    found: Mapping[str, Any] = latest(run_dir, stage).read_summary()["numbers"]
    return found


def cpu_by_stage(run_dir: Path, stages: Sequence[str]) -> str:
    """CPU seconds of stages, as they were recorded, for one cell."""
    return ", ".join(f"{recorded(run_dir, stage)['cpu_s']:.0f}" for stage in stages)


def posed(run_dir: Path) -> dict[str, Any]:
    """`images` considered, and how many key frames are posed."""
    with (run_dir / "frames.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    key_frames = [row for row in rows if row["name"]]
    count = sum(row["posed"] == "1" for row in key_frames)
    return {"images": len(rows), "posed": f"{count} of {len(key_frames)}"}


def errors(run_dir: Path, truth: Path, *parts: str) -> dict[str, float]:
    """Figures of a run against a set's truth, by column; what the set cannot give is not there.

    Args:
        run_dir: of the run.
        truth: folder with cameras.json.
        parts: `depth`, `surface`, `image`; all if none is given.
    """
    wanted = parts or ("depth", "surface", "image")
    figures = json.loads(evaluate_run(run_dir, truth, parts=wanted).to_json())
    found = {}
    for column, steps in FIGURES.items():
        value: Any = figures
        for step in steps:
            value = (value or {}).get(step)
        if value is not None:
            found[column] = float(value)
    return found
