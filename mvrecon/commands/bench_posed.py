"""The pipeline half of `mvrecon bench`: runs on posed sets."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

from mvrecon.commands.bench_flow import (
    FLOW_MODEL,
    NothingChosenError,
    assignment,
    given_weights,
    only,
)
from mvrecon.config import build_configs, load_preset
from mvrecon.errors import UsageError
from mvrecon.options import Parser, overrides
from stages.flow.config import FlowConfig
from stages.pipeline import PIPELINE

if TYPE_CHECKING:
    from mvrecon.evaluation.bench.flow.pictures import Picture
    from mvrecon.evaluation.bench.posed.runs import Judged, RunVariant
    from mvrecon.evaluation.bench.posed.sets import BenchSet
    from mvrecon.evaluation.bench.rows import Row

CONFIG_CLASSES = {stage.name: stage.config for stage in PIPELINE}
# Benchmark → last stage that it needs, what is judged besides the trajectory, its tables.
BENCHMARKS: dict[str, tuple[str, tuple[str, ...], tuple[str, ...]]] = {
    "trajectory": ("pose", (), ("trajectory",)),
    "depth": ("fusion", ("depth",), ("trajectory", "depth")),
    "surface": ("surface", ("surface",), ("surface",)),
    "all": (
        "surface",
        ("depth", "surface", "image"),
        ("trajectory", "depth", "surface", "pipeline"),
    ),
}
NEED_TRUE_DEPTH = ("depth", "surface")
POSES = ("own", "true")


def add_posed_options(parser: Parser, poses: str) -> None:
    """Declare what is run; `poses` is the default."""
    parser.add_argument(
        "--poses",
        default=poses,
        help="own (the run estimates them), true (it is given the set's), or both: own,true "
        "(default: %(default)s)",
    )
    for stage in ("depth", "fusion"):
        parser.add_argument(
            f"--{stage}", metavar="NAMES", help=f"values of {stage}.model, side by side"
        )
    parser.add_argument(
        "--vary",
        action="append",
        default=[],
        metavar="STAGE.FIELD=VALUES",
        help="values of any option, side by side: --vary flow.model=dis,mvflow",
    )
    parser.add_argument("--preset", default="default", help="as of mvrecon run")
    parser.add_argument(
        "--runs",
        type=Path,
        metavar="DIR",
        help="judge the runs in DIR/SET that are there instead of running",
    )


def measure_posed(
    options: argparse.Namespace,
) -> tuple[list[Row], list[tuple[str, Picture]]]:
    """Every variant on every set: figures, and pictures of depth maps with their captions.

    Raises:
        UsageError: an option is wrong, or there are no sets or runs to judge.
        InputError: a set is incomplete.
    """
    from mvrecon.datasets.posed import LAYOUT
    from mvrecon.evaluation.bench.posed.rows import posed_row
    from mvrecon.evaluation.bench.posed.runs import run_and_judge
    from mvrecon.evaluation.bench.posed.sets import find_posed_sets

    until, parts, benchmarks = BENCHMARKS[options.bench]
    sets = {bench_set.title: bench_set for bench_set in find_posed_sets(options.root)}
    if not sets:
        raise NothingChosenError(f"no cameras.json under {options.root}", LAYOUT)
    if options.bench in NEED_TRUE_DEPTH:
        sets = {title: bench_set for title, bench_set in sets.items() if bench_set.has_depth}
        if not sets:
            raise NothingChosenError(
                f"no set under {options.root} has true depth", "Choose another --root"
            )
    chosen = [sets[title] for title in only(options, sets)]
    judged: list[tuple[BenchSet, str, Judged]] = []
    strips: list[tuple[str, Picture]] = []
    if options.runs:
        judged = _judge_given(options, chosen, parts)
    else:
        variants = run_variants(options)
        for bench_set, variant in product(chosen, variants):
            print(f"{bench_set.title}: {variant.label}", file=sys.stderr, flush=True)
            result = run_and_judge(options.output, bench_set, variant, until, parts)
            judged.append((bench_set, variant.label, result))
            if result.figures and "depth" in parts:
                strips += _strips(options.output, bench_set, variant.label)
    return [
        posed_row(benchmark, bench_set.title, label, result)
        for benchmark in benchmarks
        for bench_set, label, result in judged
        if bench_set.has_depth or benchmark not in NEED_TRUE_DEPTH
    ], strips


def _strips(output: Path, bench_set: BenchSet, label: str) -> list[tuple[str, Picture]]:
    """Of the run that was just made: the next variant takes its directory."""
    from mvrecon.evaluation.bench.posed.pictures import middle_depth_strip
    from mvrecon.evaluation.bench.posed.runs import run_dir_of

    strip = middle_depth_strip(run_dir_of(output, bench_set), bench_set.truth.root)
    if strip is None:
        return []
    name, abs_rel, picture_hw3 = strip
    return [(f"{bench_set.title}, {label}: {name}, AbsRel {abs_rel:.4f}", picture_hw3)]


def run_variants(options: argparse.Namespace) -> list[RunVariant]:
    """Every combination of the poses and of the values that are varied.

    Raises:
        UsageError: an option does not exist or does not take a value.
    """
    from mvrecon.evaluation.bench.posed.runs import RunVariant

    given = overrides(options)
    common = [
        f"--{stage}.{name}={value}" for stage in given for name, value in given[stage].items()
    ]
    common += ["--preset", options.preset]
    if options.workers:
        common += ["--workers", str(options.workers)]
    varied = [assignment(text, "--vary") for text in options.vary]
    for stage in ("depth", "fusion"):
        if values := getattr(options, stage):
            varied.append((f"{stage}.model", values))
    poses = options.poses.split(",")
    if not set(poses) <= set(POSES):
        raise UsageError(f"--poses {options.poses} is not understood", "Give own, true or own,true")
    weights = given_weights(options)
    variants = []
    choices = [[(name, value) for value in values.split(",")] for name, values in varied]
    for source, *settings in product(poses, *choices):
        for name, value in settings:
            stage, _, field = name.partition(".")
            layers = [load_preset(options.preset), given, {stage: {field: value}}]
            build_configs(CONFIG_CLASSES, layers)
        words = [f"{name.removesuffix('.model')} {value}" for name, value in settings]
        label = ", ".join([f"{source} poses", *words])
        chosen = [f"--{name}={value}" for name, value in settings]
        chosen += [
            f"--flow.{FlowConfig.full_name(value, 'weights')}={weights[value]}"
            for name, value in settings
            if name == FLOW_MODEL and value in weights
        ]
        variants.append(RunVariant(label, source == "true", (*common, *chosen)))
    return variants


def _judge_given(
    options: argparse.Namespace, sets: Sequence[BenchSet], parts: tuple[str, ...]
) -> list[tuple[BenchSet, str, Judged]]:
    from mvrecon.evaluation.bench.posed.runs import judge

    found = []
    for bench_set in sets:
        names = (bench_set.title.replace("/", "-"), Path(bench_set.title).name)
        run_dir = next((options.runs / n for n in names if (options.runs / n).is_dir()), None)
        if run_dir is not None:
            found.append((bench_set, "given run", judge(options.output, run_dir, bench_set, parts)))
    if not found:
        raise UsageError(
            f"{options.runs} has no run of {', '.join(s.title for s in sets)}",
            "Name the run directories like the sets",
        )
    return found
