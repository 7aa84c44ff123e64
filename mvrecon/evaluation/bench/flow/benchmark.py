"""The benchmark of flow models: every model on every part of the data sets, and its time."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

from mvrecon.datasets.flow_pairs import FlowSample
from mvrecon.datasets.flow_sets import FLOW_SETS, find_flow_sets, read_flow_sets
from mvrecon.datasets.kitti import YEARS
from mvrecon.errors import UsageError
from mvrecon.evaluation.bench.flow.measure import (
    FlowVariant,
    PairResult,
    measure_part,
    measure_time,
)
from mvrecon.evaluation.bench.flow.rows import flow_row, flow_time_rows
from mvrecon.evaluation.bench.flow.submission import write_submission
from mvrecon.evaluation.bench.rows import Row
from mvrecon.evaluation.bench.selection import NothingChosenError, matching
from mvrecon.evaluation.spread import spread

LOG = logging.getLogger(__name__)

# The model whose time is 1, where it is measured; else the first one.
REFERENCE = "raft-small"
KITTI_YEARS = ("kitti2012", "kitti2015")

# Part of a data set → its pairs; part → model → results.
FlowParts = Mapping[str, Sequence[FlowSample]]
FlowPairs = dict[str, dict[str, list[PairResult]]]


def choose_parts(
    name: str, root: Path, *, split: str | None = None, only: str = "", limit: int | None = None
) -> FlowParts:
    """The pairs of one data set, or of all that is found.

    Args:
        name: of the data set; `kitti` for that year which is found; for every set `flow`, or
            `all` where there may be none.
        root: of the data set; for `flow` and `all` a folder above.
        split: of the data set.
        only: words in the titles of the parts.
        limit: of each part, so many pairs spread over it.

    Raises:
        InputError: there is no data set, or it is incomplete.
        NothingChosenError: no part is left.
        UsageError: no pair is.
    """
    if limit is not None and limit < 1:
        raise UsageError(f"--limit {limit} leaves no pairs", "Give a number above 0")
    if name == "all" and not find_flow_sets(root):
        raise NothingChosenError(f"no flow data set under {root}", "Check --root")
    if name in ("flow", "all"):
        parts = read_flow_sets(root)
    elif name == "kitti":
        years = [data_set for data_set in FLOW_SETS if data_set.name in KITTI_YEARS]
        chosen = next((year for year in years if year.recognises(root)), years[0])
        parts = chosen.parts(root, split)
    else:
        parts = next(one for one in FLOW_SETS if one.name == name).parts(root, split)
    return {
        title: spread(parts[title], limit or len(parts[title])) for title in matching(parts, only)
    }


def measure_flow(
    output: Path, variants: Sequence[FlowVariant], parts: FlowParts
) -> tuple[list[Row], FlowPairs]:
    """Every model on every part, then the models' time on a generated pair.

    Args:
        output: folder of the benchmark, where results are kept.
        variants: at least one model.
        parts: with their pairs.
    """
    rows: list[Row] = []
    pairs: FlowPairs = {}
    for title, samples in parts.items():
        for variant in variants:
            LOG.info("%s: %s, %d pairs", title, variant.label, len(samples))
            results = measure_part(output, variant, title, samples)
            pairs.setdefault(title, {})[variant.label] = results
            rows.append(flow_row(title, variant.label, results))
    times = {variant.label: measure_time(output, variant) for variant in variants}
    reference = REFERENCE if REFERENCE in times else variants[0].label
    return rows + flow_time_rows(times, reference), pairs


def submit(output: Path, variants: Sequence[FlowVariant], root: Path, folder: Path) -> Path:
    """Write what KITTI's server takes, of the year whose testing pairs are there.

    Raises:
        UsageError: more than one model is named.
        InputError: there are no testing pairs, or files are missing.
    """
    if len(variants) > 1:
        raise UsageError("--submission takes one model", "Name it with --model")
    year = next(
        (y for y in YEARS if any((root / "testing" / name).is_dir() for name in y.left)),
        YEARS[-1],
    )
    return write_submission(output, variants[0], year, root, folder)
