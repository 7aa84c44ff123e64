"""Run the whole pipeline on the sample clip and on real sets; write pipeline.md.

python -m benchmarks.pipeline --root DATA --runs DIR [--sets sample,phone_fox50] [--keep]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.common import REPOSITORY, markdown
from mvrecon.evaluation.run import evaluate_run

TABLE = Path(__file__).with_suffix(".md")
GIB = 1024**3
SAMPLE = "sample"

# Below the data's root: input, and the set with its ground truth if there is one.
SETS: Mapping[str, tuple[str, str | None]] = {
    "livingroom_synthetic": ("rgbd/livingroom_synthetic/images", "rgbd/livingroom_synthetic"),
    "redkitchen_100": ("rgbd/redkitchen_100/images", "rgbd/redkitchen_100"),
    "phone_fox50": ("posed/phone_fox50/images", "posed/phone_fox50"),
    "strecha_fountain11": ("posed/strecha_fountain11/images", "posed/strecha_fountain11"),
    "cotracker_teddy": ("videos/cotracker_teddy.mp4", None),
}

COLUMNS = {
    "set": "set",
    "wall_s": "wall s",
    "cpu_s": "CPU s",
    "peak_gib": "peak GiB",
    "again_s": "again s",
    "posed": "posed",
    "ate_percent": "ATE, % of path",
    "abs_rel": "AbsRel",
    "coverage": "coverage",
    "f_score": "F at 1 %",
    "precision": "precision",
    "recall": "recall",
    "psnr_db": "PSNR dB",
}

HEADER = """# The whole pipeline

Made by `python -m benchmarks.pipeline --root DATA --runs DIR`: `mvrecon run INPUT` with the default
preset, given only the images, then `mvrecon eval`; {cores} CPU cores.

*again*: the same command once more, nothing changed. *posed*: of the key frames, in one model.
*ATE*: RMSE after Sim(3) alignment. *AbsRel*, *coverage*: fused depth, scaled by the trajectory, at
full coverage. *F*: at 1 % of the scene's diameter ([definitions](../docs/evaluation.md)). *PSNR*:
the mesh rendered over the key frames.

"""


@dataclass(frozen=True)
class Usage:
    """What a process and its children used; the peak is the largest single process's."""

    wall_s: float
    cpu_s: float
    peak_bytes: int


def main() -> None:
    """Run, evaluate, write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, required=True, help="folder of the real sets")
    parser.add_argument("--runs", type=Path, required=True, help="where the runs go")
    parser.add_argument("--sets", default=",".join([SAMPLE, *SETS]))
    parser.add_argument("--keep", action="store_true", help="take the runs that are there")
    options = parser.parse_args()
    options.runs.mkdir(parents=True, exist_ok=True)
    rows = []
    for name in options.sets.split(","):
        rows.append(_measure(name, options.root, options.runs, options.keep))
        table = HEADER.format(cores=os.cpu_count()) + markdown(
            list(COLUMNS.values()), [[row.get(column, "–") for column in COLUMNS] for row in rows]
        )
        TABLE.write_text(table)
    print(table)


def _measure(name: str, root: Path, runs: Path, keep: bool) -> dict[str, str]:
    raw_input, truth = _paths(name, root)
    run_dir, usage_file = runs / name, runs / f"{name}.usage.json"
    command = [sys.executable, "-m", "mvrecon", "run", str(raw_input), "-o", str(run_dir)]
    if not (keep and usage_file.is_file()):
        usage_file.write_text(json.dumps(asdict(_run([*command, "--rerun-all"]))))
    usage = Usage(**json.loads(usage_file.read_text()))
    row = {
        "set": name,
        "wall_s": f"{usage.wall_s:.0f}",
        "cpu_s": f"{usage.cpu_s:.0f}",
        "peak_gib": f"{usage.peak_bytes / GIB:.2f}",
        "again_s": f"{_run(command).wall_s:.2f}",
        "posed": _posed(run_dir),
    }
    return row | (_errors(run_dir, truth) if truth else {})


def _paths(name: str, root: Path) -> tuple[Path, Path | None]:
    if name == SAMPLE:
        folder = REPOSITORY / "sample_data"
        return folder / "clip.mp4", folder / "ground_truth"
    raw_input, truth = SETS[name]
    return root / raw_input, root / truth if truth else None


def _run(command: Sequence[str]) -> Usage:
    started = time.monotonic()
    process = subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"failed: {' '.join(command)}")
    wall_s = time.monotonic() - started
    return Usage(wall_s, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024)


def _posed(run_dir: Path) -> str:
    rows = [line.split(",") for line in (run_dir / "frames.csv").read_text().splitlines()[1:]]
    key_frames = [row for row in rows if row[1]]
    return f"{sum(row[4] == '1' for row in key_frames)}/{len(key_frames)}"


def _errors(run_dir: Path, truth: Path) -> dict[str, str]:
    figures: dict[str, Any] = json.loads(evaluate_run(run_dir, truth).to_json())
    wanted = {
        "ate_percent": ("trajectory", "ate_percent_of_path", "{:.3f}"),
        "abs_rel": ("depth", "trajectory_scale", "abs_rel", "{:.4f}"),
        "coverage": ("depth", "trajectory_scale", "coverage", "{:.3f}"),
        "f_score": ("surface", "errors", "f_score", "{:.3f}"),
        "precision": ("surface", "errors", "precision", "{:.3f}"),
        "recall": ("surface", "errors", "recall", "{:.3f}"),
        "psnr_db": ("image", "errors", "psnr_db", "{:.1f}"),
    }
    row = {}
    for column, (*path, form) in wanted.items():
        value: Any = figures
        for step in path:
            value = (value or {}).get(step)
        if value is not None:
            row[column] = form.format(value)
    return row


if __name__ == "__main__":
    main()
