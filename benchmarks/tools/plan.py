"""Measure what `mvrecon plan` needs to know, and how well it foretells.

python -m benchmarks.tools.plan --runs DIR --fit     constants of finished runs → costs.json
python -m benchmarks.tools.plan --runs DIR           planned and measured → plan.md

The runs are those of `make benchmarks` (`runs/benchmarks/clips`) or made by `mvrecon run INPUT -o
DIR/NAME`, whatever else the machine does: processor time is compared, not elapsed time.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
from scipy.optimize import nnls

from benchmarks.piece import markdown
from mvrecon.commands.pipelines import PIPELINES, RUN
from mvrecon.commands.planning import Planner
from mvrecon.commands.running import load_record, make_runner
from mvrecon.run_dir import RunRecord
from stages.frames.config import FramesConfig
from stages.frames.expected import Expected, expect
from stages.planning.costs import Costs, measure_round
from stages.planning.work import Work, work_of

TABLE = Path(__file__).with_suffix(".md")
MIB, GIB = 1024**2, 1024**3
STAGES = PIPELINES[RUN].names
# A time itself: nothing but time grows with it.
TIME_ONLY = ("look_s",)
# Memory of one thread more [bytes by what it grows with]: not measured yet, counted as none.
THREAD_BYTES: dict[str, dict[str, float]] = {}
# Time of other methods relative to the defaults': not measured yet, `mvrecon plan` says so.
VARIANTS: dict[str, float] = {}

HEADER = """# What a run takes, and what was planned

Made by `python -m benchmarks.tools.plan --runs DIR`, of runs with the default preset and two
threads. *planned* / *measured*: by `mvrecon plan`, and by the run's manifests. Time is processor
time. The constants (`stages/planning/costs.json`) were fitted to the runs marked *fitted*, not to
the others.

"""


@dataclass(frozen=True)
class Measured:
    """A finished run: the result that is in use of each stage."""

    name: str
    record: RunRecord
    manifests: Mapping[str, Mapping[str, Any]]
    bytes: Mapping[str, int]
    key_frames: int

    @property
    def cpu_s(self) -> float:
        """Of the stages whose results are kept."""
        return sum(one["recorded"]["cpu_s"] for one in self.manifests.values())

    @property
    def peak_bytes(self) -> int:
        """Of the largest stage."""
        return max(one["recorded"]["peak_bytes"] for one in self.manifests.values())


def main() -> None:
    """Fit, or compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=Path, required=True)
    parser.add_argument("--sets", help="names below DIR; all if not given")
    parser.add_argument("--fit", action="store_true")
    parser.add_argument("--fitted", default="", help="names that the constants were fitted to")
    options = parser.parse_args()
    names = options.sets.split(",") if options.sets else _names(options.runs)
    runs = [_load(options.runs / name) for name in names]
    if options.fit:
        _fit(runs).save()
    else:
        TABLE.write_text(_table(runs, options.fitted.split(",")))
        print(TABLE.read_text())


def _names(folder: Path) -> list[str]:
    return sorted(path.parent.name for path in folder.glob("*/report.html"))


def _load(run_dir: Path) -> Measured:
    record = replace(load_record(run_dir), mendings=())
    runner = make_runner(run_dir, record, 1)
    done = {one.name: one.artifact for one in runner.status() if one.artifact}
    frames = done["frames"].read_summary()["numbers"]
    return Measured(
        run_dir.name,
        record,
        {name: done[name].manifest for name in STAGES if name in done},
        {name: done[name].size_bytes for name in STAGES if name in done},
        int(frames["key_frames"]),
    )


def _fit(runs: Iterable[Measured]) -> Costs:
    """Non-negative least squares of relative errors, stage by stage."""
    rows: dict[str, list[tuple[Mapping[str, float], Measured]]] = defaultdict(list)
    for run in runs:
        for stage, amounts in _true_work(run).items():
            if stage in run.manifests:
                rows[stage].append((amounts, run))

    def solve(value: Any, is_time: bool = False) -> dict[str, dict[str, float]]:
        return {
            stage: _solved(stage, pairs, value, () if is_time else TIME_ONLY)
            for stage, pairs in rows.items()
        }

    return Costs(
        measure_round(),
        solve(lambda run, stage: run.manifests[stage]["recorded"]["cpu_s"], is_time=True),
        solve(lambda run, stage: run.bytes[stage]),
        solve(lambda run, stage: run.manifests[stage]["recorded"]["peak_bytes"]),
        THREAD_BYTES,
        VARIANTS,
    )


def _true_work(run: Measured) -> Work:
    """With the key frames that the run has."""
    frames = cast(FramesConfig, make_runner(Path(), run.record, 1).configs["frames"])
    seen: Expected = expect(run.record.raw_input, frames)
    configs = make_runner(Path(), run.record, 1).configs
    return work_of(replace(seen, key_frames=run.key_frames), configs)


def _solved(
    stage: str,
    pairs: list[tuple[Mapping[str, float], Measured]],
    value: Any,
    left_out: Collection[str],
) -> dict[str, float]:
    names = [name for name in pairs[0][0] if name not in left_out]
    measured = np.array([float(value(run, stage)) for _, run in pairs])
    matrix = np.array([[amounts[name] for name in names] for amounts, _ in pairs])
    units, _ = nnls(matrix / measured[:, None], np.ones(len(pairs)))
    return {name: float(f"{unit:.4g}") for name, unit in zip(names, units, strict=True) if unit}


def _table(runs: Iterable[Measured], fitted: Iterable[str]) -> str:
    columns = ["set", "", "key frames", "CPU s", "ratio", "peak GiB", "ratio", "disk MiB", "ratio"]
    rows = []
    for run in runs:
        plan = Planner(run.record, STAGES[-1]).plan({}, 1)
        disk = sum(run.bytes.values())
        rows.append(
            [
                run.name,
                "fitted" if run.name in fitted else "",
                f"{plan.expected.key_frames} / {run.key_frames}",
                f"{plan.cpu_s:.0f} / {run.cpu_s:.0f}",
                f"{plan.cpu_s / run.cpu_s:.2f}",
                f"{plan.peak_bytes / GIB:.2f} / {run.peak_bytes / GIB:.2f}",
                f"{plan.peak_bytes / run.peak_bytes:.2f}",
                f"{plan.disk_bytes / MIB:.0f} / {disk / MIB:.0f}",
                f"{plan.disk_bytes / disk:.2f}",
            ]
        )
    return HEADER + markdown(columns, rows)


if __name__ == "__main__":
    main()
