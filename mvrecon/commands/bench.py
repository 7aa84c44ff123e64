"""`mvrecon bench`: models and pipeline against data sets with ground truth."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mvrecon.config import build_configs
from mvrecon.errors import UsageError
from mvrecon.options import Commands, Parser, add_stage_options, overrides
from stages.flow.config import FlowConfig

if TYPE_CHECKING:
    from mvrecon.bench.flow import Estimate, FlowVariant, PairResult
    from mvrecon.bench.rows import Row
    from mvrecon.datasets.flow_pairs import FlowSample

FLOW_TITLES = {
    "kitti": "KITTI flow 2012 or 2015, as found",
    "kitti2012": "KITTI flow 2012",
    "kitti2015": "KITTI flow 2015",
    "sintel": "MPI Sintel",
    "middlebury": "Middlebury flow",
    "flyingchairs": "FlyingChairs",
    "flyingthings3d": "FlyingThings3D",
    "kitti2012-stereo": "KITTI stereo 2012 as horizontal flow",
    "kitti2015-stereo": "KITTI stereo 2015 as horizontal flow",
    "flyingthings3d-stereo": "FlyingThings3D disparity as horizontal flow",
    "flow": "every flow data set found under a folder",
}
REFERENCE = "raft-small"


def add_commands(commands: Commands) -> None:
    """Declare them."""
    bench = commands.group("bench", "measure models and pipeline on data sets with truth")
    for name, title in FLOW_TITLES.items():
        parser = bench.add(name, _bench_flow, f"flow models on {title}")
        parser.set_defaults(data_set=name)
        _add_common(parser)
        _add_flow(parser)
        if name.startswith("kitti") and "stereo" not in name:
            parser.add_argument(
                "--submission", type=Path, metavar="DIR", help="write what KITTI's server takes"
            )


def _add_common(parser: Parser) -> None:
    parser.add_argument("--root", type=Path, required=True, help="folder of the data")
    parser.add_argument(
        "-o", "--output", type=Path, default=Path("bench.mvrecon"), metavar="DIR",
        help="tables, page and kept results (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--compare", type=Path, metavar="OLD.json", help="say what got better or worse"
    )
    parser.add_argument("--limit", type=int, metavar="N", help="of each part, N spread over it")
    parser.add_argument("--only", default="", metavar="WORDS", help="parts with these words")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the tables here too")


def _add_flow(parser: Parser) -> None:
    parser.add_argument("--split", help="of the data set (default: its usual one)")
    parser.add_argument(
        "--model", default="dis", metavar="NAMES",
        help="models side by side, with options where wanted: dis,raft-small:updates=6,mvflow",
    )  # fmt: skip
    parser.add_argument(
        "--weights", action="append", default=[], metavar="NAME=FILE", help="of a learned model"
    )
    add_stage_options(parser, {"flow": FlowConfig})


def _bench_flow(options: argparse.Namespace) -> int:
    from mvrecon.bench.page import Page

    _prepare()
    variants = flow_variants(options)
    rows, pairs = measure_flow(options, variants)
    if getattr(options, "submission", None):
        _write_submission(options, variants)
    title = "Optical flow" if options.data_set == "flow" else FLOW_TITLES[options.data_set]
    return _finish(options, Page(title, _command(options), rows, pairs))


def flow_variants(options: argparse.Namespace) -> list[FlowVariant]:
    """The models that `--model` names, with their options and weights.

    Raises:
        UsageError: an option or a weight file is wrong.
    """
    from mvrecon.bench.flow import FlowVariant
    from mvrecon.engine.hashing import hash_file
    from stages.flow.stage import STAGE

    labels = [label for label in options.model.split(",") if label]
    weights = dict(_assignment(entry, "--weights") for entry in options.weights)
    for name in weights:
        if name not in {*labels, *(label.partition(":")[0] for label in labels)}:
            raise UsageError(f"--weights {name}: --model names no {name}", "Name it, or leave it")
    variants = []
    for label in dict.fromkeys(labels):
        name, *settings = label.split(":")
        given: dict[str, Any] = {"model": name}
        if file := weights.get(label, weights.get(name)):
            given["weights"] = file
        given |= dict(_assignment(setting, f"--model {label}") for setting in settings)
        config = build_configs({"flow": FlowConfig}, [overrides(options), {"flow": given}])["flow"]
        assert isinstance(config, FlowConfig)
        files = {**config.content_files(), **STAGE.files(config)}
        key = {
            "stage": STAGE.version,
            "config": config.key_options(),
            "files": {file: hash_file(path) for file, path in files.items()},
        }
        variants.append(FlowVariant(label, load_estimate, config, key))
    return variants


def load_estimate(config: FlowConfig) -> Estimate:
    """Flow both ways with confidence, as the flow stage makes it."""
    from functools import partial

    from stages.flow.estimate import estimate_pair
    from stages.flow.model import load_flow_model

    return partial(estimate_pair, load_flow_model(config))


def measure_flow(
    options: argparse.Namespace, variants: Sequence[FlowVariant]
) -> tuple[list[Row], dict[str, dict[str, list[PairResult]]]]:
    """Every model on every part, then the models' time on a generated pair."""
    from mvrecon.bench.flow import measure_part, measure_time
    from mvrecon.bench.flow_rows import flow_row, flow_time_rows

    rows: list[Row] = []
    pairs: dict[str, dict[str, list[PairResult]]] = {}
    for title, samples in _flow_parts(options).items():
        for variant in variants:
            print(f"{title}: {variant.label}, {len(samples)} pairs", file=sys.stderr, flush=True)
            results = measure_part(options.output, variant, title, samples)
            pairs.setdefault(title, {})[variant.label] = results
            rows.append(flow_row(title, variant.label, results))
    times = {variant.label: measure_time(options.output, variant) for variant in variants}
    reference = REFERENCE if REFERENCE in times else variants[0].label
    return rows + flow_time_rows(times, reference), pairs


def _flow_parts(options: argparse.Namespace) -> dict[str, list[FlowSample]]:
    from mvrecon.datasets.flow_sets import FLOW_SETS, read_flow_sets
    from mvrecon.report.pictures import spread

    if options.data_set in ("flow", "all"):
        parts = read_flow_sets(options.root)
    else:
        chosen = [data_set for data_set in FLOW_SETS if data_set.name == options.data_set]
        if options.data_set == "kitti":
            flow = [
                data_set for data_set in FLOW_SETS if data_set.name in ("kitti2012", "kitti2015")
            ]
            chosen = [data_set for data_set in flow if data_set.recognises(options.root)] or flow
        parts = chosen[0].parts(options.root, options.split)
    words = options.only.replace(",", " ").casefold().split()
    kept = {
        title: [samples[i] for i in spread(len(samples), options.limit or len(samples))]
        for title, samples in parts.items()
        if all(word in title.casefold().split() for word in words)
    }
    if not kept:
        raise UsageError(f"--only {options.only!r} leaves nothing", f"There are {', '.join(parts)}")
    return kept


def _write_submission(options: argparse.Namespace, variants: Sequence[FlowVariant]) -> None:
    from mvrecon.bench.submission import write_submission
    from mvrecon.datasets.kitti import YEARS

    if len(variants) > 1:
        raise UsageError("--submission takes one model", "Name it with --model")
    year = next(
        (y for y in YEARS if any((options.root / "testing" / name).is_dir() for name in y.left)),
        YEARS[-1],
    )
    print(write_submission(options.output, variants[0], year, options.root, options.submission))


def _finish(options: argparse.Namespace, page: Any) -> int:
    """Write tables and page, print the main figures and what changed."""
    from dataclasses import replace

    from mvrecon.bench.compare import compare, comparison_lines
    from mvrecon.bench.figures import TITLES
    from mvrecon.bench.page import write_page
    from mvrecon.bench.rows import markdown, read_json, terminal_table, write_csv, write_json

    if options.compare:
        page = replace(page, comparison=compare(read_json(options.compare), page.rows))
    for benchmark, title in TITLES.items():
        if rows := [row for row in page.rows if row.benchmark == benchmark]:
            print(f"\n{title}\n{terminal_table(rows)}")
    if page.comparison:
        print("\n" + "\n".join(comparison_lines(page.comparison)))
    output: Path = options.output
    write_csv(page.rows, output / "bench.csv")
    write_json(page.rows, page.command, output / "bench.json")
    write_page(page, output / "bench.html")
    if options.markdown:
        heading = f"# {page.title}\n\n"
        options.markdown.write_text(heading + markdown(page.rows, page.command), encoding="utf-8")
    print(f"\n{output / 'bench.html'}")
    return 0


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


def _assignment(text: str, option: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals and value):
        raise UsageError(f"{option} {text!r} is not understood", "Write NAME=VALUE")
    return name, value
