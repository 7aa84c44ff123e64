"""The benchmarks of the pipeline: every variant on every posed set, and pictures of depth."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import cv2
import numpy as np

from mvrecon.datasets.posed import LAYOUT
from mvrecon.errors import UsageError
from mvrecon.evaluation.bench.flow.pictures import UNKNOWN_RGB, Picture, side_by_side
from mvrecon.evaluation.bench.posed.rows import posed_row
from mvrecon.evaluation.bench.posed.runs import Judged, judge, run_and_judge, run_dir_of
from mvrecon.evaluation.bench.posed.sets import BenchSet, find_posed_sets
from mvrecon.evaluation.bench.posed.variants import RunVariant
from mvrecon.evaluation.bench.rows import Row
from mvrecon.evaluation.bench.selection import NothingChosenError, matching
from mvrecon.evaluation.metrics.depth import JudgedDepth, depth_errors
from mvrecon.evaluation.run.depth import middle_depth
from mvrecon.formats.images import read_pixels
from mvrecon.report.pictures import depth_limits, depth_rgb

LOG = logging.getLogger(__name__)

NEED_TRUE_DEPTH = ("depth", "surface")
# Picture of a depth map and its caption.
Strip = tuple[str, Picture]
# Relative errors are coloured from 0 to this.
WORST = 0.2


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


def middle_depth_strip(run_dir: Path, dataset: Path) -> tuple[str, float, Picture] | None:
    """The key frame in the middle of a run: its name, its AbsRel and a strip of pictures.

    Returns:
        None if there is no such depth map, or no truth for it.

    Raises:
        InputError: files are missing or unreadable, or the set is not of this run.
        ValueError: the trajectory cannot be aligned.
    """
    for frame, _, judged in middle_depth(run_dir, dataset):
        images = sorted((run_dir / "images").glob(f"{frame.name}.*"))
        image_hw3 = read_pixels(images[0]) if images else None
        abs_rel = depth_errors(judged.estimate_hw, judged.truth_hw).abs_rel
        return frame.name, abs_rel, depth_strip(judged, image_hw3)
    return None


def depth_strip(judged: JudgedDepth, image_hw3: Picture | None) -> Picture:
    """Image, true and estimated depth in one colour scale, and the relative error, side by side.

    Args:
        judged: estimate and truth.
        image_hw3: RGB of any size; black if None.
    """
    truth_hw, estimate_hw = judged.truth_hw, judged.estimate_hw
    height, width = truth_hw.shape
    if image_hw3 is None:
        image_hw3 = np.zeros((height, width, 3), np.uint8)
    limits = depth_limits(truth_hw)
    both_hw = (truth_hw > 0) & (estimate_hw > 0)
    error_hw = np.abs(estimate_hw / np.where(both_hw, truth_hw, 1) - 1)
    level_hw = np.round(255 * np.clip(error_hw / WORST, 0, 1)).astype(np.uint8)
    error_hw3 = cv2.applyColorMap(level_hw, cv2.COLORMAP_INFERNO)[..., ::-1].copy()
    error_hw3[~both_hw] = UNKNOWN_RGB
    return side_by_side(
        [
            np.asarray(cv2.resize(image_hw3, (width, height), interpolation=cv2.INTER_AREA)),
            depth_rgb(truth_hw, limits),
            depth_rgb(estimate_hw, limits),
            np.asarray(error_hw3, np.uint8),
        ],
        cv2.INTER_AREA,
    )
