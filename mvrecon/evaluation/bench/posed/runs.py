"""The pipeline on posed sets: run it, judge what it left, keep the judgement."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from mvrecon.engine.partial import PartialArtifact
from mvrecon.engine.store import Store
from mvrecon.errors import MvreconError
from mvrecon.evaluation.bench.cache import ResultCache
from mvrecon.evaluation.bench.posed.sets import CAMERAS, BenchSet
from mvrecon.evaluation.bench.posed.variants import RunVariant
from mvrecon.evaluation.run import evaluate_run

LOG = logging.getLogger(__name__)

# Bumped when the same run and truth would be judged differently.
VERSION = 3
KIND, RESULT_ITEM = "evaluation", "evaluation.json"
POSE_STAGES = ("frames", "flow", "pose")
DEPTH_STAGES = ("depth", "fusion")
SURFACE_STAGES = ("surface",)
ALL_STAGES = (*POSE_STAGES, *DEPTH_STAGES, *SURFACE_STAGES)


@dataclass(frozen=True)
class Judged:
    """A run against the truth.

    Attributes:
        figures: what `mvrecon eval --json` writes; empty if there is nothing to judge.
        costs: stage → wall_s, cpu_s, peak_bytes, as recorded when it ran.
        note: why there are no figures.
    """

    figures: Mapping[str, Any] = field(default_factory=dict)
    costs: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    note: str = ""

    def total(self, cost: Literal["cpu_s", "wall_s"], stages: Sequence[str]) -> float | None:
        """Processor or elapsed seconds of the stages, None if one is not recorded."""
        if any(stage not in self.costs for stage in stages):
            return None
        return sum(self.costs[stage][cost] for stage in stages)

    def peak_bytes(self, stages: Sequence[str]) -> float | None:
        """Largest memory of the stages, None if one is not recorded."""
        if any(stage not in self.costs for stage in stages):
            return None
        return max((self.costs[stage]["peak_bytes"] for stage in stages), default=None)


def run_and_judge(
    output: Path, bench_set: BenchSet, variant: RunVariant, until: str, parts: Collection[str]
) -> Judged:
    """Run the pipeline on a set and judge the result.

    Variants share a run directory and with it the stages that they have in common; the names
    in it point at the last one's results.

    Args:
        output: folder of the benchmark.
        bench_set: what to run on.
        variant: how.
        until: last stage.
        parts: what to judge besides the trajectory.

    Returns:
        Figures and costs; a run that failed is told in the note.
    """
    run_dir = run_dir_of(output, bench_set)
    command = [sys.executable, "-m", "mvrecon", "run", str(bench_set.raw_input), "-o", str(run_dir)]
    command += ["--until", until, *variant.options]
    if variant.true_poses:
        command += ["--poses", str(bench_set.truth.root / CAMERAS)]
    if failure := _run(command):
        return Judged(note=failure)
    return judge(output, run_dir, bench_set, parts, ALL_STAGES[: ALL_STAGES.index(until) + 1])


def run_dir_of(output: Path, bench_set: BenchSet) -> Path:
    """Where all variants run on a set."""
    return output / "runs" / bench_set.title.replace("/", "-")


def judge(
    output: Path,
    run_dir: Path,
    bench_set: BenchSet,
    parts: Collection[str],
    stages: Sequence[str] = ALL_STAGES,
) -> Judged:
    """Judge a run directory; the figures are kept while neither run nor truth changes."""
    store = Store(run_dir / "store")
    latest = {stage: artifact for stage in stages if (artifact := store.latest(stage))}
    costs = {stage: artifact.manifest["recorded"] for stage, artifact in latest.items()}
    try:
        if len(latest) < len(stages):  # not made by this program's engine: nothing to keep by
            return Judged(_figures(run_dir, bench_set, parts), costs)
        cache = ResultCache(output)
        key = {
            "version": VERSION,
            "parts": sorted(parts),
            "run": {stage: artifact.digest for stage, artifact in latest.items()},
            "truth": [cache.hashes.of(path) for path in bench_set.truth_files],
        }
        cache.hashes.save()

        def write(out: PartialArtifact) -> None:
            out.write_text(RESULT_ITEM, json.dumps(_figures(run_dir, bench_set, parts)))

        artifact = cache.make(KIND, key, write)
        return Judged(json.loads(artifact.path(RESULT_ITEM).read_text()), costs)
    except MvreconError as error:
        return Judged(costs=costs, note=error.what)


def _figures(run_dir: Path, bench_set: BenchSet, parts: Collection[str]) -> dict[str, Any]:
    evaluation = evaluate_run(run_dir, bench_set.truth.root, parts=parts)
    figures: dict[str, Any] = json.loads(evaluation.to_json())
    return figures


def _run(command: Sequence[str]) -> str:
    """Run a command, passing on what it says; the reason if it fails."""
    last = ""
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, errors="replace"
    )
    try:
        assert process.stderr is not None
        for line in process.stderr:
            LOG.info("%s", line.rstrip())
            last = line.strip() or last
        status = process.wait()
    except BaseException:
        process.terminate()
        process.wait()
        raise
    return "" if status == 0 else f"exit code {status}: {last.removeprefix('mvrecon: ')}"
