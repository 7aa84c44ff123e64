"""`mvrecon bench`: models and pipeline against data sets with ground truth."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mvrecon.commands.bench_flow import (
    KITTI_YEARS,
    NothingChosenError,
    add_flow_options,
    flow_variants,
    measure_flow,
    submit,
)
from mvrecon.commands.bench_posed import CONFIG_CLASSES, add_posed_options, measure_posed
from mvrecon.errors import UsageError
from mvrecon.options import Commands, Parser, add_stage_options

if TYPE_CHECKING:
    from mvrecon.evaluation.bench.flow.measure import FlowVariant
    from mvrecon.evaluation.bench.page import Page

FLOW_TITLES = {
    "flow": "every flow data set found under a folder",
    "kitti": "KITTI flow 2012 or 2015, as found",
    "kitti2012": "KITTI flow 2012",
    "kitti2015": "KITTI flow 2015",
    "sintel": "MPI Sintel",
    "middlebury": "Middlebury",
    "flyingchairs": "FlyingChairs",
    "flyingthings3d": "FlyingThings3D",
    "kitti2012-stereo": "KITTI stereo 2012 as horizontal flow",
    "kitti2015-stereo": "KITTI stereo 2015 as horizontal flow",
    "flyingthings3d-stereo": "FlyingThings3D disparity as horizontal flow",
}
POSED_TITLES = {
    "trajectory": "Camera poses on sets with cameras.json",
    "depth": "Depth on sets with cameras.json",
    "surface": "Surfaces on sets with cameras.json",
}


def add_commands(commands: Commands) -> None:
    """Declare them."""
    bench = commands.group("bench", "measure models and pipeline on data sets with truth")
    for name, title in FLOW_TITLES.items():
        parser = _add(bench, name, f"flow models on {title}")
        parser.add_argument("--split", help="of the data set (default: its usual one)")
        add_flow_options(parser)
        if name in ("kitti", *KITTI_YEARS):
            parser.add_argument(
                "--submission", type=Path, metavar="DIR", help="write what KITTI's server takes"
            )
        add_stage_options(parser, {"flow": CONFIG_CLASSES["flow"]})
    for name, title in POSED_TITLES.items():
        parser = _add(bench, name, title)
        add_posed_options(parser, poses="own,true" if name == "depth" else "own")
        add_stage_options(parser, CONFIG_CLASSES)
    everything = _add(bench, "all", "flow models and the whole pipeline on all that is found")
    add_flow_options(everything)
    add_posed_options(everything, poses="own")
    add_stage_options(everything, CONFIG_CLASSES)


def _add(bench: Commands, name: str, text: str) -> Parser:
    parser = bench.add(name, _bench, text)
    parser.set_defaults(bench=name)
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


def _bench(options: argparse.Namespace) -> int:
    from mvrecon.evaluation.bench.compare import compare
    from mvrecon.evaluation.bench.page import Page
    from mvrecon.evaluation.bench.rows import read_json

    old = read_json(options.compare) if options.compare else None
    _prepare()
    if getattr(options, "submission", None):
        submit(options)
        if not (options.root / "training").is_dir():
            return 0  # that was all there is
    if options.bench in FLOW_TITLES:
        page = _bench_flow(options)
    elif options.bench in POSED_TITLES:
        rows, strips = measure_posed(options)
        page = Page(POSED_TITLES[options.bench], _command(options), rows, {}, depth_strips=strips)
    else:
        page = _bench_all(options)
    reports = sorted(options.output.glob("runs/*/report.html"))
    page = replace(page, reports=[str(path.relative_to(options.output)) for path in reports])
    if old is not None:
        page = replace(page, comparison=compare(old, page.rows))
    _write(options, page)
    _print(page)
    print(f"\n{options.output / 'bench.html'}")
    return 0


def _bench_flow(options: argparse.Namespace) -> Page:
    from mvrecon.evaluation.bench.page import Page

    if options.workers:
        raise UsageError(
            "--workers does not apply to flow: pairs are measured one at a time, in one thread",
            "Leave it out",
        )
    variants = flow_variants(options)
    rows, pairs = measure_flow(options, variants)
    title = "Optical flow" if options.bench == "flow" else FLOW_TITLES[options.bench]
    return Page(title, _command(options), rows, pairs, settings=_settings(variants))


def _bench_all(options: argparse.Namespace) -> Page:
    """Flow and pipeline; one of them may have nothing to be measured on."""
    from mvrecon.evaluation.bench.page import Page

    variants = flow_variants(options)
    settings = _settings(variants)
    page = Page("Flow and pipeline", _command(options), [], {}, settings=settings)
    nothing: list[NothingChosenError] = []
    try:
        rows, pairs = measure_flow(options, variants)
        page = replace(page, rows=rows, pairs=pairs)
    except NothingChosenError as error:
        nothing.append(error)
    try:
        rows, strips = measure_posed(options)
        page = replace(page, rows=[*page.rows, *rows], depth_strips=strips)
    except NothingChosenError as error:
        nothing.append(error)
    if len(nothing) == 2:
        raise nothing[0]
    return page


def _settings(variants: Sequence[FlowVariant]) -> dict[str, Any]:
    return {variant.label: variant.key for variant in variants}


def _write(options: argparse.Namespace, page: Page) -> None:
    from mvrecon.evaluation.bench.page import write_page
    from mvrecon.evaluation.bench.rows import markdown, write_csv, write_json

    output: Path = options.output
    output.mkdir(parents=True, exist_ok=True)
    write_csv(page.rows, output / "bench.csv")
    write_json(page.rows, page.command, page.settings, output / "bench.json")
    write_page(page, output / "bench.html")
    if options.markdown:
        text = f"# {page.title}\n\n{markdown(page.rows, page.command)}"
        options.markdown.write_text(text, encoding="utf-8")


def _print(page: Page) -> None:
    from mvrecon.evaluation.bench.benchmarks import TITLES
    from mvrecon.evaluation.bench.compare import comparison_lines
    from mvrecon.evaluation.bench.rows import terminal_table

    for benchmark, title in TITLES.items():
        if rows := [row for row in page.rows if row.benchmark == benchmark]:
            print(f"\n{title}\n{terminal_table(rows)}")
    if page.comparison:
        print("\n" + "\n".join(comparison_lines(page.comparison)))


def _prepare() -> None:
    """Set what concerns all processes, before anything heavy is imported."""
    from mvrecon.doctor import require_system_libraries

    require_system_libraries()
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")


def _command(options: argparse.Namespace) -> str:
    """The command without the paths of this machine, as it stands in files that others read."""
    stand_ins = {options.root: "DATA", options.compare: "OLD.json", options.output: "DIR"}
    stand_ins |= {options.markdown: "FILE", getattr(options, "submission", None): "DIR"}
    names = {str(path): name for path, name in stand_ins.items() if path is not None}
    words = []
    for word in sys.argv[1:]:
        option, equals, value = word.partition("=")
        if word in names or (equals and value in names):
            words.append(names[word] if word in names else f"{option}={names[value]}")
        else:
            words.append(f"{option}=FILE" if equals and Path(value).is_file() else word)
    return shlex.join(["mvrecon", *words])
