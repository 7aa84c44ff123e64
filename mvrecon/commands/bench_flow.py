"""The flow half of `mvrecon bench`: models on pairs with truth."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from mvrecon.config import build_configs
from mvrecon.engine.hashing import hash_file
from mvrecon.errors import UsageError
from mvrecon.options import Parser, overrides
from stages.flow.config import FlowConfig

if TYPE_CHECKING:
    from mvrecon.datasets.flow_pairs import FlowSample
    from mvrecon.evaluation.bench.flow.measure import Estimate, FlowVariant, PairResult
    from mvrecon.evaluation.bench.rows import Row

KITTI_YEARS = ("kitti2012", "kitti2015")
REFERENCE = "raft-small"
FLOW_MODEL = "flow.model"


class NothingChosenError(UsageError):
    """The options leave no data set to measure on."""


FlowPairs = dict[str, dict[str, "list[PairResult]"]]


def add_flow_options(parser: Parser) -> None:
    """Declare what chooses pairs and models."""
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


def flow_variants(options: argparse.Namespace) -> list[FlowVariant]:
    """The models that `--model` names, with their options and weights.

    Raises:
        UsageError: an option or a weight file is wrong.
    """
    from mvrecon.evaluation.bench.flow.measure import FlowVariant
    from stages.flow.models.registry import find_card
    from stages.flow.stage import STAGE

    labels = [label for label in options.model.split(",") if label]
    weights = given_weights(options)
    variants = []
    for label in dict.fromkeys(labels):
        name, *settings = label.split(":")
        own = dict(assignment(setting, f"--model {label}") for setting in settings)
        if file := weights.get(label, weights.get(name)):
            own.setdefault("weights", file)
        given = {FlowConfig.full_name(name, option): value for option, value in own.items()}
        given["model"] = name
        config = build_configs({"flow": FlowConfig}, [overrides(options), {"flow": given}])["flow"]
        assert isinstance(config, FlowConfig)
        card = find_card(name)
        if card.shipped or card.checkpoint:
            card.require_weights(config)  # now, rather than after the other models were measured
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
    from stages.flow.models.registry import load_flow_model
    from stages.flow.run import estimate_pair

    return partial(estimate_pair, load_flow_model(config))


def measure_flow(
    options: argparse.Namespace, variants: Sequence[FlowVariant]
) -> tuple[list[Row], FlowPairs]:
    """Every model on every part, then the models' time on a generated pair."""
    from mvrecon.evaluation.bench.flow.measure import measure_part, measure_time
    from mvrecon.evaluation.bench.flow.rows import flow_row, flow_time_rows

    rows: list[Row] = []
    pairs: FlowPairs = {}
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
    from mvrecon.datasets.flow_sets import FLOW_SETS, find_flow_sets, read_flow_sets
    from mvrecon.report.pictures import spread

    if options.bench == "all" and not find_flow_sets(options.root):
        raise NothingChosenError(f"no flow data set under {options.root}", "Check --root")
    if options.bench in ("flow", "all"):
        parts = read_flow_sets(options.root)
    else:
        chosen = [data_set for data_set in FLOW_SETS if data_set.name == options.bench]
        if options.bench == "kitti":
            flow = [data_set for data_set in FLOW_SETS if data_set.name in KITTI_YEARS]
            chosen = [data_set for data_set in flow if data_set.recognises(options.root)] or flow
        parts = chosen[0].parts(options.root, options.split)
    if options.limit is not None and options.limit < 1:
        raise UsageError(f"--limit {options.limit} leaves no pairs", "Give a number above 0")
    return {
        title: [samples[i] for i in spread(len(samples), options.limit or len(samples))]
        for title, samples in parts.items()
        if title in only(options, parts)
    }


def only(options: argparse.Namespace, titles: Iterable[str]) -> list[str]:
    """The titles that hold all words of one of the phrases of `--only`.

    Raises:
        NothingChosenError: there is none.
    """
    phrases = [phrase.casefold().split() for phrase in options.only.split(",")]
    kept = [
        title
        for title in titles
        if any(all(word in title.casefold() for word in phrase) for phrase in phrases)
    ]
    if not kept:
        raise NothingChosenError(
            f"--only {options.only!r} leaves nothing", f"There are {', '.join(titles)}"
        )
    return kept


def submit(options: argparse.Namespace) -> None:
    """Write what KITTI's server takes.

    Raises:
        UsageError: more than one model is named.
    """
    from mvrecon.datasets.kitti import YEARS
    from mvrecon.evaluation.bench.flow.submission import write_submission

    variants = flow_variants(options)
    if len(variants) > 1:
        raise UsageError("--submission takes one model", "Name it with --model")
    year = next(
        (y for y in YEARS if any((options.root / "testing" / name).is_dir() for name in y.left)),
        YEARS[-1],
    )
    print(write_submission(options.output, variants[0], year, options.root, options.submission))


def given_weights(options: argparse.Namespace) -> dict[str, str]:
    """Model → weight file of `--weights`.

    Raises:
        UsageError: neither `--model` nor `--vary flow.model` names the model.
    """
    labels = getattr(options, "model", "").split(",")
    for text in getattr(options, "vary", []):
        name, _, values = text.partition("=")
        labels += values.split(",") if name == FLOW_MODEL else []
    weights = dict(assignment(entry, "--weights") for entry in options.weights)
    for name in weights:
        if name not in {*labels, *(label.partition(":")[0] for label in labels)}:
            raise UsageError(f"--weights {name}: no option names {name}", "Name it, or leave it")
    return weights


def assignment(text: str, option: str) -> tuple[str, str]:
    """The two sides of `NAME=VALUE`.

    Raises:
        UsageError: one is missing.
    """
    name, equals, value = text.partition("=")
    if not (name and equals and value):
        raise UsageError(f"{option} {text!r} is not understood", "Write NAME=VALUE")
    return name, value
