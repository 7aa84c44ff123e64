"""Optical flow on pairs with truth: mvflow, its fp32, OpenCV's DIS, RAFT-small."""

from __future__ import annotations

from functools import partial

from benchmarks.measures.running import MVFLOW
from benchmarks.piece import RAFT, Column, Piece, Place, Row, Table
from mvrecon.evaluation.bench.benchmarks import METRICS
from mvrecon.evaluation.bench.flow.benchmark import choose_parts
from mvrecon.evaluation.bench.flow.measure import measure_part, measure_time
from mvrecon.evaluation.bench.flow.rows import flow_row
from stages.flow.variants import flow_variants

DATA = ("flow", "stereo")
MIB = 1024**2
# The others are in results.json, and in the tables of `mvrecon bench flow`.
SHOWN = [metric for metric in METRICS["flow"] if metric.main]
TIMED = "one generated pair of 640 × 480"
# Model, with options of its own → shipped weights.
MODELS = {
    "dis": (),
    "dis:preset=fast": (),
    "raft-small": (),
    "mvflow": (MVFLOW,),
    "mvflow:precision=fp32": (MVFLOW,),
}


def measure(place: Place, label: str) -> list[Row]:
    """A row for each part of the data sets, and one of time on a generated pair."""
    weights = {"raft-small": str(place.data(RAFT))} if label.startswith("raft") else {}
    (variant,) = flow_variants([label], weights, {})
    output = place.runs / "flow"
    rows: list[Row] = []
    for title, samples in choose_parts("flow", place.root).items():
        row = flow_row(title, label, measure_part(output, variant, title, samples))
        rows.append({"set": title, "pairs": row.count, "model": label, **row.figures})
    cpu_s, peak_bytes = measure_time(output, variant)
    time = {"cpu_s_mean_over_pairs": cpu_s, "peak_mib_largest": peak_bytes / MIB}
    return [*rows, {"set": TIMED, "pairs": 1, "model": label, **time}]


TABLE = Table(
    "flow",
    "Optical flow",
    """
Models at full size, both ways with confidence, one pair at a time in one thread (`mvrecon bench
flow`). *dis*: OpenCV's DIS, medium preset as shipped; *raft-small*: the public checkpoint (12
updates, trained on FlyingChairs and FlyingThings3D). Precision is `auto` unless the label says
fp32: bf16 where the processor computes with it. Few pairs: differences of a few per cent mean
nothing. CPU seconds on the generated pair are the least of three runs.

"""
    + "\n".join(f"- *{metric.heading}*: {metric.meaning}." for metric in SHOWN),
    (
        Column("model", "model"),
        Column("set", "data set"),
        Column("pairs", "pairs"),
        *(
            Column(metric.name, metric.heading, metric.form.removeprefix("{:").removesuffix("}"))
            for metric in SHOWN
        ),
    ),
    tuple(
        Piece(
            f"flow/{label.replace(':', '-').replace('=', '-')}",
            partial(measure, label=label),
            ("flow",),
            weights,
            (*DATA, RAFT) if label.startswith("raft") else DATA,
        )
        for label, weights in MODELS.items()
    ),
)
