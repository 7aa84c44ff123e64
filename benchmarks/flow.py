"""Flow models on the public data sets: errors, sparsification, processor time.

    python -m benchmarks.flow --root DIR --model dis,raft-small --weights raft-small=FILE

DIR holds any of the data sets of `mvrecon.datasets.flow_sets.FLOW_SETS`. Writes benchmarks/flow.md.
"""

from __future__ import annotations

import argparse
import shlex
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from mvrecon.datasets.flow_pairs import FlowSample
from mvrecon.datasets.flow_sets import read_flow_sets
from mvrecon.errors import MvreconError, UsageError
from mvrecon.formats.images import read_rgb
from mvrecon.metrics.flow import (
    FlowErrors,
    end_point_error,
    epe_mean_over_images_px,
    epe_mean_over_pixels_px,
    fl_all_over_pixels,
    flow_errors,
    over_1px_over_pixels,
    sparsification_epe_px,
)
from stages.flow.config import FlowConfig
from stages.flow.estimate import estimate_pair
from stages.flow.model import FlowModel, load_flow_model

REPORT = Path(__file__).with_suffix(".md")
DROPPED_SHARES = (0.0, 0.2, 0.5)
ORACLE_SHARE = 0.2
TIMED_SIZE = (640, 480)
TIMED_RUNS = 5


@dataclass(frozen=True)
class Result:
    """One model on one data set.

    Attributes:
        errors: of each pair.
        sparse_px: mean end-point error at each of DROPPED_SHARES, then the oracle's.
    """

    errors: list[FlowErrors]
    sparse_px: list[float]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and write the report; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--model", default="dis", help="names, separated by commas")
    parser.add_argument("--weights", action="append", default=[], metavar="NAME=FILE")
    parser.add_argument("--updates", type=int, default=12)
    parser.add_argument("--out", type=Path, default=REPORT)
    options = parser.parse_args(arguments)
    try:
        weights = dict(entry.split("=", 1) for entry in options.weights)
        models = {
            name: load_flow_model(
                FlowConfig(model=name, weights=weights.get(name), updates=options.updates)
            )
            for name in options.model.split(",")
        }
        samples = read_flow_sets(options.root)
        results = {
            (title, name): evaluate(model, pairs)
            for title, pairs in samples.items()
            for name, model in models.items()
        }
        first = next(iter(samples.values()))[0]
        seconds = {name: cpu_seconds(model, first) for name, model in models.items()}
    except MvreconError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    options.out.write_text(report(results, seconds, options))
    print(options.out.read_text())
    return 0


def evaluate(model: FlowModel, samples: list[FlowSample]) -> Result:
    """Errors of each pair at full size, and their sparsification over all pixels."""
    errors, error_px, confidence = [], [], []
    for sample in samples:
        first, second = read_rgb(sample.first), read_rgb(sample.second)
        truth_hw2, valid_hw = sample.read_truth()
        estimate = estimate_pair(model, first, second)
        if estimate.forward_hw2.shape != truth_hw2.shape:
            raise UsageError(f"{sample.name}: image and truth differ in size", "Restore the files")
        errors.append(flow_errors(estimate.forward_hw2, truth_hw2, valid_hw))
        error_px.append(end_point_error(estimate.forward_hw2, truth_hw2)[valid_hw])
        confidence.append(estimate.forward_confidence_hw[valid_hw])
    error_n = np.concatenate(error_px)
    sparse_px = sparsification_epe_px(error_n, np.concatenate(confidence), DROPPED_SHARES)
    oracle_px = sparsification_epe_px(error_n, -error_n, (ORACLE_SHARE,))
    return Result(errors, sparse_px + oracle_px)


def cpu_seconds(model: FlowModel, sample: FlowSample) -> float:
    """Processor seconds for one pair, both ways, at TIMED_SIZE; the least of several runs."""
    images = [cv2.resize(read_rgb(path), TIMED_SIZE) for path in (sample.first, sample.second)]

    def once() -> float:
        # Copies, so that nothing is remembered from the run before.
        first, second = (_copy(image) for image in images)
        start = time.process_time()
        model.estimate(first, second)
        return time.process_time() - start

    return min(once() for _ in range(TIMED_RUNS))


def report(
    results: dict[tuple[str, str], Result],
    seconds: dict[str, float],
    options: argparse.Namespace,
) -> str:
    """The markdown text."""
    command = (
        f"python -m benchmarks.flow --root DIR --model {shlex.quote(options.model)}"
        + "".join(f" --weights {entry.split('=')[0]}=FILE" for entry in options.weights)
        + f" --updates {options.updates}"
    )
    width, height = TIMED_SIZE
    fastest = min(seconds.values())
    return "\n".join(
        [
            "# Optical flow",
            "",
            f"Made by `{command}`. Lower is better everywhere.",
            "",
            "EPE in px, over all valid pixels and as the mean of the images' means; Fl: pixels "
            "wrong by over 3 px and 5 %; all at full image size.",
            "",
            "| data set | pairs | model | EPE, pixels | EPE, images | Fl-all | over 1 px |",
            "|---|---|---|---|---|---|---|",
            *(_error_row(title, name, result) for (title, name), result in results.items()),
            "",
            "EPE in px over the pixels that remain when the least confident are dropped; the "
            "oracle drops those with the largest error. The confidence was fitted to such pairs: "
            "`benchmarks.flow_confidence` tells how it does on data sets left out of the fit.",
            "",
            "| data set | model | all | 20 % dropped | 50 % dropped | oracle, 20 % dropped |",
            "|---|---|---|---|---|---|",
            *(_sparse_row(title, name, result) for (title, name), result in results.items()),
            "",
            f"Processor time of one pair at {width}×{height}, both ways, the fastest model = 1.",
            "",
            "| model | processor time |",
            "|---|---|",
            *(f"| {name} | {value / fastest:.1f} |" for name, value in seconds.items()),
            "",
        ]
    )


def _error_row(title: str, name: str, result: Result) -> str:
    errors = result.errors
    return (
        f"| {title} | {len(errors)} | {name} | {epe_mean_over_pixels_px(errors):.2f} | "
        f"{epe_mean_over_images_px(errors):.2f} | {fl_all_over_pixels(errors):.1%} | "
        f"{over_1px_over_pixels(errors):.1%} |"
    )


def _sparse_row(title: str, name: str, result: Result) -> str:
    return f"| {title} | {name} | " + " | ".join(f"{px:.2f}" for px in result.sparse_px) + " |"


def _copy(image: NDArray[np.generic]) -> NDArray[np.uint8]:
    return np.array(image, np.uint8)


if __name__ == "__main__":
    sys.exit(main())
