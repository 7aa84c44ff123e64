"""`mvrecon bench`: models and pipeline against data sets with ground truth."""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from mvrecon.errors import UsageError
from mvrecon.options import Commands, Parser, add_stage_options, assignment, overrides
from stages.flow.config import FlowConfig
from stages.pipeline import CONFIG_CLASSES

if TYPE_CHECKING:
    from mvrecon.evaluation.bench.flow.measure import FlowVariant
    from mvrecon.evaluation.bench.page import Page
    from mvrecon.evaluation.bench.posed.variants import RunVariant

FLOW_TITLES = {
    "flow": "every flow data set found under a folder",
    "kitti": "KITTI flow 2012 or 2015, as found",
    "kitti2012": "KITTI flow 2012",
    "kitti2015": "KITTI flow 2015",
    "sintel": "MPI Sintel",
    "spring": "Spring",
    "hd1k": "HD1K",
    "middlebury": "Middlebury",
    "flyingchairs": "FlyingChairs",
    "flyingthings3d": "FlyingThings3D",
    "kitti2012-stereo": "KITTI stereo 2012 as horizontal flow",
    "kitti2015-stereo": "KITTI stereo 2015 as horizontal flow",
    "flyingthings3d-stereo": "FlyingThings3D disparity as horizontal flow",
}
SUBMITTED = ("kitti", "kitti2012", "kitti2015")
POSED_TITLES = {
    "trajectory": "Camera poses on sets with cameras.json",
    "depth": "Depth on sets with cameras.json",
    "surface": "Surfaces on sets with cameras.json",
}
# Of these stages an option of its own gives the models that are compared.
COMPARED_STAGES = ("depth", "fusion")
FLOW_MODEL = "flow.model"


def add_commands(commands: Commands) -> None:
    """Declare them."""
    bench = commands.group("bench", "measure models and pipeline on data sets with truth")
    for name, title in FLOW_TITLES.items():
        parser = _add(bench, name, f"flow models on {title}")
        parser.add_argument("--split", help="of the data set (default: its usual one)")
        _add_flow_options(parser)
        if name in SUBMITTED:
            parser.add_argument(
                "--submission", type=Path, metavar="DIR", help="write what KITTI's server takes"
            )
        add_stage_options(parser, {"flow": CONFIG_CLASSES["flow"]})
    for name, title in POSED_TITLES.items():
        parser = _add(bench, name, title)
        _add_posed_options(parser, poses="own,true" if name == "depth" else "own")
        add_stage_options(parser, CONFIG_CLASSES)
    everything = _add(bench, "all", "flow models and the whole pipeline on all that is found")
    _add_flow_options(everything)
    _add_posed_options(everything, poses="own")
    add_stage_options(everything, CONFIG_CLASSES)


def _add(bench: Commands, name: str, text: str) -> Parser:
    parser = bench.add(name, _bench, text)
    parser.set_defaults(bench=name, model="", vary=[], runs=None, split=None, submission=None)
    parser.add_argument("--root", type=Path, required=True, help="folder of the data")
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        default=Path("bench.mvrecon"),
        metavar="DIR",
        help="tables, page and kept results (default: %(default)s)",
    )
    parser.add_argument(
        "--compare", type=Path, metavar="OLD.json", help="say what got better or worse"
    )
    parser.add_argument(
        "--only",
        default="",
        metavar="WORDS",
        help="data sets whose titles have all these words; a comma separates alternatives",
    )
    parser.add_argument(
        "--weights",
        action="append",
        default=[],
        metavar="NAME=FILE",
        help="of a learned flow model",
    )
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the tables here too")
    return parser


def _add_flow_options(parser: Parser) -> None:
    """What chooses pairs and models."""
    parser.add_argument(
        "--model",
        default="dis,mvflow",
        metavar="NAMES",
        help="flow models side by side, with options where wanted: "
        "dis,raft-small:updates=6,mvflow (default: %(default)s)",
    )
    parser.add_argument(
        "--limit", type=int, metavar="N", help="of each part, N pairs spread over it"
    )


def _add_posed_options(parser: Parser, poses: str) -> None:
    """What is run; `poses` is the default."""
    parser.add_argument(
        "--poses",
        default=poses,
        help="own (the run estimates them), true (it is given the set's), or both: own,true "
        "(default: %(default)s)",
    )
    for stage in COMPARED_STAGES:
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


def _bench(options: argparse.Namespace) -> int:
    from mvrecon.doctor import require_system_libraries
    from mvrecon.evaluation.bench.compare import compare
    from mvrecon.evaluation.bench.output import terminal_text, write_results
    from mvrecon.evaluation.bench.rows import read_json

    old = read_json(options.compare) if options.compare else None
    require_system_libraries()
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    if options.submission:
        from mvrecon.evaluation.bench.flow.benchmark import submit

        print(submit(options.output, _flow_variants(options), options.root, options.submission))
        if not (options.root / "training").is_dir():
            return 0  # that was all there is
    page = _measure(options)
    if old is not None:
        page = replace(page, comparison=compare(old, page.rows))
    written = write_results(page, options.output, options.markdown)
    print(f"{terminal_text(page)}\n\n{written}")
    return 0


def _measure(options: argparse.Namespace) -> Page:
    """Flow, pipeline, or for `all` both, of which one may have nothing to be measured on."""
    from mvrecon.evaluation.bench.output import command_text
    from mvrecon.evaluation.bench.page import Page
    from mvrecon.evaluation.bench.selection import NothingChosenError

    stand_ins = {
        options.root: "DATA",
        options.compare: "OLD.json",
        options.output: "DIR",
        options.markdown: "FILE",
        options.runs: "DIR",
        options.submission: "DIR",
    }
    titles = {"flow": "Optical flow", "all": "Flow and pipeline"}
    title = titles.get(options.bench) or {**FLOW_TITLES, **POSED_TITLES}[options.bench]
    page = Page(title, command_text(sys.argv[1:], stand_ins))
    if options.bench in FLOW_TITLES:
        page = _with_flow(options, page)
    elif options.bench in POSED_TITLES:
        page = _with_posed(options, page)
    else:
        nothing: list[NothingChosenError] = []
        for add in (_with_flow, _with_posed):
            try:
                page = add(options, page)
            except NothingChosenError as error:
                nothing.append(error)
        if len(nothing) == 2:
            raise nothing[0]
    reports = sorted(options.output.glob("runs/*/report.html"))
    return replace(page, reports=[str(path.relative_to(options.output)) for path in reports])


def _with_flow(options: argparse.Namespace, page: Page) -> Page:
    from mvrecon.evaluation.bench.flow.benchmark import choose_parts, measure_flow

    if options.workers and options.bench != "all":
        raise UsageError(
            "--workers does not apply to flow: pairs are measured one at a time, in one thread",
            "Leave it out",
        )
    variants = _flow_variants(options)
    parts = choose_parts(
        options.bench,
        options.root,
        split=options.split,
        only=options.only,
        limit=options.limit,
    )
    rows, pairs = measure_flow(options.output, variants, parts)
    settings = {variant.label: variant.key for variant in variants}
    return replace(page, rows=[*page.rows, *rows], pairs=pairs, settings=settings)


def _with_posed(options: argparse.Namespace, page: Page) -> Page:
    from mvrecon.evaluation.bench.posed.benchmark import (
        BENCHMARKS,
        choose_sets,
        judge_given,
        measure_posed,
    )

    benchmark = BENCHMARKS[options.bench]
    sets = choose_sets(benchmark, options.root, options.only)
    if options.runs:
        rows = judge_given(options.output, benchmark, sets, options.runs)
        return replace(page, rows=[*page.rows, *rows])
    rows, strips = measure_posed(options.output, benchmark, sets, _run_variants(options))
    return replace(page, rows=[*page.rows, *rows], depth_strips=strips)


def _flow_variants(options: argparse.Namespace) -> list[FlowVariant]:
    from stages.flow.variants import flow_variants

    labels = [label for label in options.model.split(",") if label]
    given = {stage: own for stage, own in overrides(options).items() if stage == "flow"}
    return flow_variants(labels, _weights(options), given)


def _run_variants(options: argparse.Namespace) -> list[RunVariant]:
    from mvrecon.evaluation.bench.posed.variants import run_variants

    return run_variants(
        CONFIG_CLASSES,
        poses=options.poses.split(","),
        varied=[(name, values.split(",")) for name, values in _varied(options)],
        preset=options.preset,
        given=overrides(options),
        of_flow_model={
            model: [f"--flow.{FlowConfig.full_name(model, 'weights')}={file}"]
            for model, file in _weights(options).items()
        },
        workers=options.workers,
    )


def _varied(options: argparse.Namespace) -> list[tuple[str, str]]:
    """Option and its values, as they were given."""
    given = {f"{stage}.model": getattr(options, stage, None) for stage in COMPARED_STAGES}
    varied = [assignment(text, "--vary") for text in options.vary]
    return varied + [(name, values) for name, values in given.items() if values]


def _weights(options: argparse.Namespace) -> dict[str, str]:
    """Model → weight file of `--weights`; each has to be of a model that an option names."""
    labels = [*options.model.split(","), *dict(_varied(options)).get(FLOW_MODEL, "").split(",")]
    weights = dict(assignment(entry, "--weights") for entry in options.weights)
    for name in weights:
        if name not in {*labels, *(label.partition(":")[0] for label in labels)}:
            raise UsageError(f"--weights {name}: no option names {name}", "Name it, or leave it")
    return weights
