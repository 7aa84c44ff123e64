"""Poses next to pycolmap's own pipeline on the same images: time, accuracy, drift.

python -m benchmarks.poses --root DATA --runs DIR [--sets phone_fox50,…] [--keep]

What pycolmap gave is kept in DIR/pycolmap and taken again; delete it to measure it anew.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.common import REPOSITORY, markdown, recorded
from benchmarks.pose_figures import PoseFigures, pose_figures
from mvrecon.engine.store import Store
from mvrecon.evaluation.metrics.drift import PART_LENGTHS
from mvrecon.evaluation.run.files import read_key_frames
from mvrecon.formats.colmap.files import read_model
from mvrecon.formats.trajectory import read_trajectory

TABLE = Path(__file__).with_suffix(".md")


@dataclass(frozen=True)
class Input:
    """A set to pose.

    Attributes:
        folder: below the data's root.
        kind: that pycolmap is told; ours finds out itself.
        step: every so manieth image is taken.
        thins: whether ours chooses key frames of them; else every image is one anyway.
    """

    folder: str
    kind: str = "sequence"
    step: int = 1
    thins: bool = False


SETS: Mapping[str, Input] = {
    "phone_fox50": Input("posed/phone_fox50"),
    "livingroom_synthetic": Input("rgbd/livingroom_synthetic", thins=True),
    "redkitchen_100": Input("rgbd/redkitchen_100", thins=True),
    "redkitchen_500": Input("rgbd/redkitchen_500", step=4, thins=True),
    "kitti_odometry_30": Input("posed/kitti_odometry_30"),
    "strecha_fountain11": Input("posed/strecha_fountain11", "photos"),
    "strecha_castle30": Input("posed/strecha_castle30", "photos"),
    "dtu_scan24": Input("posed/dtu_scan24", "photos"),
}
STAGES = ("frames", "flow", "pose")

COLUMNS = (
    "set",
    "images",
    "by",
    "posed",
    "CPU s",
    "of pycolmap's",
    "ATE %",
    "with offset %",
    f"over {', '.join(map(str, PART_LENGTHS))} %",
    "focal px",
    "error px",
    "scale trend, spread %",
)
HEADER = """# Poses

Made by `python -m benchmarks.poses --root DATA --runs DIR --sets {sets}`;
{cores} CPU cores, both on the same machine.

*pycolmap*: SIFT (≤ 4,096 features, ≤ 1024 px), sequential matching (exhaustive for photos),
incremental mapping, one shared camera, two threads, else its defaults; the largest model; CPU
seconds of SIFT, matching, mapping; on *all* images, and on the *key* frames that ours chose.
*ours*: `mvrecon run IMAGES --until pose` with the default preset; CPU seconds of frames, flow,
pose, of all threads and children; on *key* frames as a user runs it; *all*: with
`--pose.all_frames true`, which poses the images in between, too; *every*: with
`--frames.every_frame true`, each image a key frame. *Of pycolmap's*: CPU seconds over those of
pycolmap with all images. Of redkitchen_500 every {step}th image is given to both, as all would
take too long.

*ATE*: RMSE after Sim(3) alignment, of the path through the true cameras that are compared, in the
order of their names. *With offset*: after fitting a constant shift between camera and reference,
too: redkitchen's poses are of the depth camera, which is not where the colour camera is. *Over*:
ATE over parts of so many units of the set (metres; not of fox and fountain), each aligned by
itself, of the length. *Error*: mean reprojection error. *Scale*: trend and spread along the path of
each frame's median of true depth over that of its sparse points.

With two threads pycolmap's matches, and so its poses, differ from run to run in spite of the seed:
of five runs on phone_fox50 some ended at 3.1 %, the others at 0.03 %.

"""


@dataclass(frozen=True)
class Result:
    """What one pipeline made of a set.

    Attributes:
        cpu_s: of its steps.
        given: images.
        focal_px: of the first image; 0 without a model.
        figures: None if too little was posed.
        error_px: mean reprojection error.
    """

    cpu_s: tuple[float, ...]
    given: int
    focal_px: float = 0.0
    figures: PoseFigures | None = None
    error_px: float = 0.0


def main() -> None:
    """Run, compare, write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, required=True, help="folder of the real sets")
    parser.add_argument("--runs", type=Path, required=True, help="where the runs go")
    parser.add_argument("--sets", default=",".join(SETS))
    parser.add_argument("--every", action="store_true", help="each image as a key frame, too")
    parser.add_argument("--keep", action="store_true", help="take our stages that are there")
    options = parser.parse_args()
    rows: list[tuple[str, ...]] = []
    for name in options.sets.split(","):
        rows += _Comparison(name, options).rows()
        header = HEADER.format(
            sets=options.sets, cores=os.cpu_count(), step=SETS["redkitchen_500"].step
        )
        TABLE.write_text(header + markdown(COLUMNS, rows))
    print(markdown(COLUMNS, rows))


class _Comparison:
    """Runs both pipelines on one set."""

    def __init__(self, name: str, options: argparse.Namespace) -> None:
        self._name, self._set = name, SETS[name]
        self._folder, self._runs = options.root / self._set.folder, options.runs
        self._keep, self._every = options.keep, options.every and self._set.thins
        files = sorted((self._folder / "images").iterdir())[:: self._set.step]
        self._images = self._linked(name, files)

    def rows(self) -> Iterator[tuple[str, ...]]:
        """Lines of the table."""
        whole = self._peer(self._name, self._images)
        budget_s = sum(whole.cpu_s)
        yield _row(self._name, "all", "pycolmap", whole, budget_s)
        if self._set.thins:
            yield self._ours("all", budget_s, "--pose.all_frames=true")
            if self._every:
                yield self._ours("every", budget_s, "--frames.every_frame=true")
            ours = self._ours("key", budget_s)
            frames = read_key_frames(self._run_dir("key"))
            chosen = self._linked(f"{self._name}_key", [self._images / f.source for f in frames])
            peer = self._peer(f"{self._name}_key", chosen)
            yield _row(self._name, "key", "pycolmap", peer, budget_s)
            yield ours
        else:
            yield self._ours("all", budget_s, "--frames.every_frame=true")

    def _linked(self, name: str, files: Iterable[Path]) -> Path:
        folder: Path = self._runs / "images" / name
        files = [file.resolve() for file in files]
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for file in files:
            (folder / file.name).symlink_to(file)
        return folder

    def _peer(self, name: str, images: Path) -> Result:
        work = self._runs / "pycolmap" / name
        kept = work / "cpu_s.json"
        names = sorted(file.name for file in images.iterdir())
        found = json.loads(kept.read_text()) if kept.is_file() else {}
        if found.get("names") != names:
            command = [sys.executable, "-m", "benchmarks.poses_peer"]
            command += [str(images), str(work), self._set.kind]
            done = subprocess.run(
                command, cwd=REPOSITORY, check=True, capture_output=True, text=True
            )
            found = {"names": names, "cpu_s": json.loads(done.stdout.splitlines()[-1])}
            kept.write_text(json.dumps(found))
        result = Result(tuple(found["cpu_s"].values()), len(names))
        if not (work / "model").is_dir():
            return result
        model = read_model(work / "model")
        return replace(
            result,
            focal_px=next(iter(model.cameras.values())).fx,
            figures=pose_figures(model, self._folder),
            error_px=float(model.error_px_n.mean()),
        )

    def _run_dir(self, label: str) -> Path:
        return Path(self._runs / f"{self._name}_{'every' if label == 'every' else 'key'}")

    def _ours(self, label: str, budget_s: float, *given: str) -> tuple[str, ...]:
        run_dir = self._run_dir(label)
        command = [sys.executable, "-m", "mvrecon", "run", str(self._images), "-o", str(run_dir)]
        command += ["--until", "pose", *([] if self._keep else ["--rerun-all"]), *given]
        subprocess.run(command, cwd=REPOSITORY, check=True, stdout=subprocess.DEVNULL)
        model = read_model(run_dir / "colmap")
        posed = poses_of_run(run_dir)
        sources = {f.name: f.source for f in read_key_frames(run_dir)}
        named = [replace(i, name=sources[Path(i.name).stem]) for i in model.images]
        numbers = latest_numbers(run_dir)
        result = Result(
            tuple(recorded(run_dir, stage)["cpu_s"] for stage in STAGES),
            len(list(self._images.iterdir())) if label != "key" else len(sources),
            float(numbers["focal_px"]),
            pose_figures(replace(model, images=tuple(named)), self._folder, posed),
            float(model.error_px_n.mean()),
        )
        return _row(self._name, label, "ours", result, budget_s)


def poses_of_run(run_dir: Path) -> dict[str, NDArray[np.float64]]:
    """World_from_cam by source of all posed frames of a run, key frames or not."""
    with (run_dir / "frames.csv").open(newline="") as file:
        posed = [row["source"] for row in csv.DictReader(file) if row["posed"] == "1"]
    poses = read_trajectory(run_dir / "trajectory.txt").world_from_cam_n44
    return dict(zip(posed, poses, strict=True))


def latest_numbers(run_dir: Path) -> Mapping[str, float]:
    """What the pose stage says of its result."""
    latest = Store(run_dir / "store").latest("pose")
    if latest is None:
        raise SystemExit(f"{run_dir} has no poses")
    numbers: Mapping[str, float] = json.loads(latest.path("numbers.json").read_text())["numbers"]
    return numbers


def _row(name: str, label: str, by: str, result: Result, budget_s: float) -> tuple[str, ...]:
    total_s = sum(result.cpu_s)
    cost = f"{total_s:.0f} ({', '.join(f'{value:.0f}' for value in result.cpu_s)})"
    row = (name, label, by, "", cost, f"{total_s / budget_s:.2f}")
    figures = result.figures
    if figures is None:
        return (*row[:3], f"0 of {result.given}", *row[4:], *["–"] * 6)
    drift = figures.drift
    return (
        *row[:3],
        f"{figures.posed} of {result.given}",
        *row[4:],
        f"{figures.ate_percent:.3f}",
        f"{figures.offset_ate_percent:.3f}",
        ", ".join(f"{part:.2f}".replace("nan", "–") for part in figures.part_ates),
        f"{result.focal_px:.1f}",
        f"{result.error_px:.2f}",
        f"{drift.trend_percent:+.1f}, {drift.spread_percent:.1f}" if drift else "–",
    )


if __name__ == "__main__":
    main()
