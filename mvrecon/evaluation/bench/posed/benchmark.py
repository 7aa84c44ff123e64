"""The benchmarks of the pipeline: every variant on every posed set."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from mvrecon.datasets.posed import LAYOUT
from mvrecon.errors import UsageError
from mvrecon.evaluation.bench.flow.pictures import Picture
from mvrecon.evaluation.bench.posed.pictures import middle_depth_strip
from mvrecon.evaluation.bench.posed.rows import posed_row
from mvrecon.evaluation.bench.posed.runs import Judged, judge, run_and_judge, run_dir_of
from mvrecon.evaluation.bench.posed.sets import BenchSet, find_posed_sets
from mvrecon.evaluation.bench.posed.variants import RunVariant
from mvrecon.evaluation.bench.rows import Row
from mvrecon.evaluation.bench.selection import NothingChosenError, matching

LOG = logging.getLogger(__name__)

NEED_TRUE_DEPTH = ("depth", "surface")
# Picture of a depth map and its caption.
Strip = tuple[str, Picture]


@dataclass(frozen=True)
class PosedBenchmark:
    """What one benchmark runs and judges.

    Attributes:
        until: last stage that it needs.
        parts: what is judged besides the trajectory.
        tables: what is told.
        needs_depth: whether a set without true depth is of no use.
    """

    until: str
    parts: tuple[str, ...]
    tables: tuple[str, ...]
    needs_depth: bool = False


BENCHMARKS = {
    "trajectory": PosedBenchmark("pose", (), ("trajectory",)),
    "depth": PosedBenchmark("fusion", ("depth",), ("trajectory", "depth"), needs_depth=True),
    "surface": PosedBenchmark("surface", ("surface",), ("surface",), needs_depth=True),
    "all": PosedBenchmark(
        "surface",
        ("depth", "surface", "image"),
        ("trajectory", "depth", "surface", "pipeline"),
    ),
}


def choose_sets(benchmark: PosedBenchmark, root: Path, only: str) -> list[BenchSet]:
    """The posed sets under a folder that a benchmark can use, those whose titles fit `only`.

    Raises:
        NothingChosenError: there is none.
        InputError: a set is incomplete.
    """
    sets = {bench_set.title: bench_set for bench_set in find_posed_sets(root)}
    if not sets:
        raise NothingChosenError(f"no cameras.json under {root}", LAYOUT)
    if benchmark.needs_depth:
        sets = {title: bench_set for title, bench_set in sets.items() if bench_set.has_depth}
        if not sets:
            raise NothingChosenError(f"no set under {root} has true depth", "Choose another --root")
    return [sets[title] for title in matching(sets, only)]


def measure_posed(
    output: Path,
    benchmark: PosedBenchmark,
    sets: Sequence[BenchSet],
    variants: Sequence[RunVariant],
) -> tuple[list[Row], list[Strip]]:
    """Run every variant on every set: figures, and a depth map of each run.

    Args:
        output: folder of the benchmark, where runs and results are kept.
        benchmark: what is run and judged.
        sets: to run on.
        variants: how.
    """
    judged: list[tuple[BenchSet, str, Judged]] = []
    strips: list[Strip] = []
    for bench_set, variant in product(sets, variants):
        LOG.info("%s: %s", bench_set.title, variant.label)
        result = run_and_judge(output, bench_set, variant, benchmark.until, benchmark.parts)
        judged.append((bench_set, variant.label, result))
        if result.figures and "depth" in benchmark.parts:
            # Now: the next variant takes the run's directory.
            strips += _strips(output, bench_set, variant.label)
    return _rows(benchmark, judged), strips


def judge_given(
    output: Path, benchmark: PosedBenchmark, sets: Sequence[BenchSet], runs: Path
) -> list[Row]:
    """Judge runs that are there, in directories named like the sets.

    Raises:
        UsageError: there is none.
    """
    found = []
    for bench_set in sets:
        names = (bench_set.title.replace("/", "-"), Path(bench_set.title).name)
        run_dir = next((runs / name for name in names if (runs / name).is_dir()), None)
        if run_dir is not None:
            judged = judge(output, run_dir, bench_set, benchmark.parts)
            found.append((bench_set, "given run", judged))
    if not found:
        raise UsageError(
            f"{runs} has no run of {', '.join(s.title for s in sets)}",
            "Name the run directories like the sets",
        )
    return _rows(benchmark, found)


def _rows(benchmark: PosedBenchmark, judged: Sequence[tuple[BenchSet, str, Judged]]) -> list[Row]:
    return [
        posed_row(table, bench_set.title, label, result)
        for table in benchmark.tables
        for bench_set, label, result in judged
        if bench_set.has_depth or table not in NEED_TRUE_DEPTH
    ]


def _strips(output: Path, bench_set: BenchSet, label: str) -> list[Strip]:
    strip = middle_depth_strip(run_dir_of(output, bench_set), bench_set.truth.root)
    if strip is None:
        return []
    name, abs_rel, picture_hw3 = strip
    return [(f"{bench_set.title}, {label}: {name}, AbsRel {abs_rel:.4f}", picture_hw3)]
