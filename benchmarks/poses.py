"""Poses next to pycolmap's own pipeline on the same images: time, registered, errors.

python -m benchmarks.poses --root DATA --runs DIR [--sets phone_fox50,…] [--keep]

What pycolmap gave is kept in DIR/pycolmap and taken again; delete it to measure it anew.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from benchmarks.common import REPOSITORY, markdown, recorded
from mvrecon.datasets.posed import load_posed_set
from mvrecon.evaluation.metrics.trajectory import (
    MIN_POSES,
    align_centres,
    align_poses,
    trajectory_errors,
)
from mvrecon.evaluation.run.files import read_key_frames

TABLE = Path(__file__).with_suffix(".md")

# Below the data's root; the kind that pycolmap is told. Ours finds out itself.
SETS: Mapping[str, tuple[str, str]] = {
    "phone_fox50": ("posed/phone_fox50", "sequence"),
    "livingroom_synthetic": ("rgbd/livingroom_synthetic", "sequence"),
    "redkitchen_100": ("rgbd/redkitchen_100", "sequence"),
    "kitti_odometry_30": ("posed/kitti_odometry_30", "sequence"),
    "strecha_fountain11": ("posed/strecha_fountain11", "photos"),
    "strecha_castle30": ("posed/strecha_castle30", "photos"),
    "dtu_scan24": ("posed/dtu_scan24", "photos"),
}
# Of the others every image is a key frame anyway.
THINNED = ("livingroom_synthetic", "redkitchen_100")
STAGES = ("frames", "flow", "pose")
KIND = {"all frames": ("--frames.every_frame=true",), "key frames": ()}

COLUMNS = (
    "set",
    "images",
    "pycolmap CPU s (extract, match, map)",
    "pycolmap posed",
    "pycolmap ATE %",
    "ours",
    "CPU s (frames, flow, pose)",
    "posed",
    "ATE %",
    "pose / pycolmap",
    "flow + pose / pycolmap",
)
HEADER = """# Poses

Made by `python -m benchmarks.poses --root DATA --runs DIR --sets {sets}`;
{cores} CPU cores, both on the same machine.

*pycolmap*: SIFT (≤ 4,096 features, ≤ 1024 px), sequential matching (exhaustive for photos),
incremental mapping, one shared camera, two threads; the largest model. *ours*: `mvrecon run IMAGES
--until pose` with the default preset; *all frames* with `--frames.every_frame true`, so that both
have the same images; *key frames* as a user runs it, on the frames that it chose. CPU seconds of
all threads and children. *Ratios*: CPU seconds over pycolmap's on the same input, of which *key
frames* poses a part only. *ATE*: RMSE after Sim(3) alignment, of the path through the true
cameras that are compared, in the order of their names.

With two threads pycolmap's matches, and so its poses, differ from run to run in spite of the seed:
of five runs on phone_fox50 some ended at 3.1 %, the others at 0.03 %.

"""


@dataclass(frozen=True)
class Result:
    """What one pipeline made of a set.

    Attributes:
        cpu_s: by step.
        images: given.
        world_from_cam: (4, 4) by file name, of the largest model.
    """

    cpu_s: Mapping[str, float]
    images: int
    world_from_cam: Mapping[str, NDArray[np.float64]]


def main() -> None:
    """Run, compare, write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, required=True, help="folder of the real sets")
    parser.add_argument("--runs", type=Path, required=True, help="where the runs go")
    parser.add_argument("--sets", default=",".join(SETS))
    parser.add_argument("--keep", action="store_true", help="take our runs that are there")
    options = parser.parse_args()
    (options.runs / "pycolmap").mkdir(parents=True, exist_ok=True)
    rows: list[tuple[str, ...]] = []
    for name in options.sets.split(","):
        folder, kind = options.root / SETS[name][0], SETS[name][1]
        peer = _run_peer(name, folder, kind, options.runs / "pycolmap")
        for label in KIND if name in THINNED else ("all frames",):
            ours = _run_ours(name, folder, label, options.runs, options.keep)
            rows.append(_row(name, label, folder, peer, ours))
            header = HEADER.format(sets=options.sets, cores=os.cpu_count())
            TABLE.write_text(header + markdown(COLUMNS, rows))
    print(markdown(COLUMNS, rows))


def _run_peer(name: str, folder: Path, kind: str, cache: Path) -> Result:
    kept = cache / f"{name}.json"
    images = folder / "images"
    if not kept.is_file():
        work = cache / f"{name}.work"
        command = [sys.executable, "-m", "benchmarks.poses_peer", str(images), str(work), kind]
        done = subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True, text=True)
        kept.write_text(done.stdout.splitlines()[-1])
    found = json.loads(kept.read_text())
    poses = {
        file: np.vstack([np.array(rows), [0.0, 0.0, 0.0, 1.0]])
        for file, rows in (found["models"][0] if found["models"] else {}).items()
    }
    return Result(found["cpu_s"], len(list(images.iterdir())), poses)


def _run_ours(name: str, folder: Path, label: str, runs: Path, keep: bool) -> Result:
    run_dir = runs / f"{name}_{label.partition(' ')[0]}"
    if not (keep and (run_dir / "trajectory.txt").exists()):
        command = [sys.executable, "-m", "mvrecon", "run", str(folder / "images")]
        command += ["-o", str(run_dir), "--until", "pose", "--rerun-all", *KIND[label]]
        subprocess.run(command, cwd=REPOSITORY, check=True, stdout=subprocess.DEVNULL)
    cpu_s = {stage: recorded(run_dir, stage)["cpu_s"] for stage in STAGES}
    frames = read_key_frames(run_dir)
    poses = {f.source: f.world_from_cam for f in frames if f.world_from_cam is not None}
    return Result(cpu_s, len(frames), poses)


def _row(name: str, label: str, folder: Path, peer: Result, ours: Result) -> tuple[str, ...]:
    peer_s = sum(peer.cpu_s.values())
    pose_s = ours.cpu_s["pose"]
    both_s = ours.cpu_s["flow"] + pose_s
    return (
        name,
        str(peer.images),
        _seconds(peer.cpu_s),
        f"{len(peer.world_from_cam)}",
        _ate(peer, folder),
        label,
        _seconds(ours.cpu_s),
        f"{len(ours.world_from_cam)} of {ours.images}",
        _ate(ours, folder),
        f"{pose_s / peer_s:.2f}",
        f"{both_s / peer_s:.2f}",
    )


def _seconds(cpu_s: Mapping[str, float]) -> str:
    return f"{sum(cpu_s.values()):.0f} ({', '.join(f'{value:.0f}' for value in cpu_s.values())})"


def _ate(result: Result, folder: Path) -> str:
    truth = {
        PurePosixPath(image.file).name: image.world_from_cam
        for image in load_posed_set(folder).images
    }
    names = sorted(name for name in result.world_from_cam if name in truth)
    if len(names) < MIN_POSES:
        return "–"
    estimate_n44 = np.stack([result.world_from_cam[name] for name in names])
    truth_n44 = np.stack([truth[name] for name in names])
    errors = trajectory_errors(
        estimate_n44,
        truth_n44,
        align_centres(estimate_n44, truth_n44),
        align_poses(estimate_n44, truth_n44),
    )
    return f"{errors.ate_percent_of_path:.3f}"


if __name__ == "__main__":
    main()
