"""What makes the learned flow cheaper on a CPU, and what it costs in accuracy.

    python -m benchmarks.flow_compression --root DIR --weights raft-small=FILE --work DIR

DIR of --root holds flow data sets in their own layouts. Each measurement is kept in --work, so
that an interrupted run goes on. Writes benchmarks/flow_compression.md.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.flow_variants import VARIANTS, Inputs, Runner, Variant
from mvrecon.datasets.flow_sets import read_flow_sets
from mvrecon.errors import MvreconError
from mvrecon.formats.images import read_rgb
from mvrecon.learning.options import LearnedOptions
from mvrecon.synthetic.training.textures import procedural_textures
from stages.flow.config import FlowConfig, RaftOptions
from stages.flow.models.dis import DisFlow
from stages.flow.models.registry import find_card
from stages.flow.training.validation import validation_pairs

REPORT = Path(__file__).with_suffix(".md")
MODELS = ("raft-small", "mvflow")
# Exported graphs have a fixed size: pairs are cropped or padded to it about their middle.
HEIGHT, WIDTH = 480, 640
PAIRS_OF_A_SET = 1
SYNTHETIC_PAIRS = 3
CALIBRATION_PAIRS = 2
UPDATES = 6
TIMED_RUNS = 3
TEXTURES = 16
TEXTURE_SEED, CALIBRATION_SEED = 21, 22

Image = NDArray[np.uint8]


@dataclass(frozen=True)
class Pair:
    """A pair at the common size, with its truth there."""

    inputs: Inputs
    truth_hw2: NDArray[np.float32]
    valid_hw: NDArray[np.bool_]


@dataclass(frozen=True)
class Measurement:
    """One variant of one model.

    Attributes:
        cpu_s: processor seconds of one pair, one way, one thread; the least of several runs.
        plain_cpu_s: of the first variant, in turn with it, because other work slows both.
        epe_px, synthetic_epe_px: mean over pairs of the mean end-point error, public and
            held-out synthetic pairs.
        error: why there is no figure.
    """

    cpu_s: float = 0.0
    plain_cpu_s: float = 0.0
    epe_px: float = 0.0
    synthetic_epe_px: float = 0.0
    error: str = ""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and write the report; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--weights", action="append", default=[], metavar="NAME=FILE")
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--only", default="", help="measure what has this text in its name")
    parser.add_argument("--out", type=Path, default=REPORT)
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    weights = dict(entry.split("=", 1) for entry in options.weights)
    try:
        public = list(public_pairs(options.root))
        synthetic = synthetic_pairs(SYNTHETIC_PAIRS, TEXTURE_SEED)
        results = {}
        for model in MODELS:
            config = FlowConfig(
                model=model,
                mvflow=LearnedOptions(weights=weights.get("mvflow")),
                raft=RaftOptions(weights=weights.get("raft-small"), updates=UPDATES),
            )
            folder = options.work / model
            folder.mkdir(parents=True, exist_ok=True)
            for variant in VARIANTS:
                if variant.only_raft and not model.startswith("raft"):
                    continue
                kept = folder / f"{variant.title}.json"
                if not kept.is_file() and options.only in f"{model} {variant.title}":
                    measured = measure(config, variant, public, synthetic, folder)
                    kept.write_text(json.dumps(asdict(measured)))
                    print(model, variant.title, measured, flush=True)
                if kept.is_file():
                    results[model, variant.title] = Measurement(**json.loads(kept.read_text()))
    except MvreconError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    options.out.write_text(report(results, len(public)))
    print(options.out.read_text())
    return 0


def public_pairs(root: Path) -> Iterator[Pair]:
    """The first pairs of each data set under the root."""
    for samples in read_flow_sets(root).values():
        for sample in samples[:PAIRS_OF_A_SET]:
            truth_hw2, valid_hw = sample.read_truth()
            images = [_fitted(read_rgb(path), "edge") for path in (sample.first, sample.second)]
            start_hw2 = DisFlow("medium").estimate(images[0], images[1]).forward_hw2
            yield Pair(
                _inputs(_tensor(images[0]) / 255.0, _tensor(images[1]) / 255.0, _tensor(start_hw2)),
                _fitted(truth_hw2, "constant"),
                _fitted(valid_hw, "constant"),
            )


def synthetic_pairs(count: int, seed: int) -> list[Pair]:
    """Held-out pairs of the synthetic scenes; errors count where the scene stays visible."""
    textures = procedural_textures(TEXTURES, seed=seed)
    pairs = validation_pairs(textures, count, (HEIGHT, WIDTH))
    batch = pairs.batch
    return [
        Pair(
            _inputs(
                batch.first_b3hw[i : i + 1],
                batch.second_b3hw[i : i + 1],
                pairs.start_b2hw[i : i + 1],
            ),
            batch.flow_b2hw[i].permute(1, 2, 0).numpy(),
            batch.visible_bhw[i].numpy(),
        )
        for i in range(count)
    ]


def measure(
    config: FlowConfig,
    variant: Variant,
    public: Sequence[Pair],
    synthetic: Sequence[Pair],
    folder: Path,
) -> Measurement:
    """Make the variant, run it on all pairs, time it on the first."""
    card = find_card(config.model)
    assert card.graph is not None
    graph, plain_graph = card.graph(card, config), card.graph(card, config)
    calibration = [pair.inputs for pair in synthetic_pairs(CALIBRATION_PAIRS, CALIBRATION_SEED)]
    try:
        run = variant.make(graph, calibration, folder)
        error, synthetic_error = (mean_epe_px(run, pairs) for pairs in (public, synthetic))
    except (RuntimeError, ValueError, NotImplementedError) as failure:
        return Measurement(error=f"{type(failure).__name__}: {str(failure).splitlines()[0][:120]}")
    plain = VARIANTS[0].make(plain_graph, calibration, folder)
    seconds = [[cpu_seconds(r, public[0].inputs) for r in (run, plain)] for _ in range(TIMED_RUNS)]
    return Measurement(*np.min(seconds, axis=0).tolist(), error, synthetic_error)


def mean_epe_px(run: Runner, pairs: Sequence[Pair]) -> float:
    """Mean over pairs of the mean end-point error over the valid pixels."""
    means = []
    for pair in pairs:
        flow_hw2 = run(pair.inputs)[0].permute(1, 2, 0).float().numpy()
        error_hw = np.linalg.norm(flow_hw2 - pair.truth_hw2, axis=-1)
        means.append(error_hw[pair.valid_hw].mean())
    return float(np.mean(means))


def cpu_seconds(run: Runner, inputs: Inputs) -> float:
    """Processor seconds of one call."""
    start = time.process_time()
    run(inputs)
    return time.process_time() - start


def report(results: dict[tuple[str, str], Measurement], public: int) -> str:
    """The markdown text."""
    return "\n".join(
        [
            "# Cheaper learned flow",
            "",
            "Made by `python -m benchmarks.flow_compression --root DATA --weights "
            "raft-small=FILE --work DIR`.",
            "",
            f"One pair, one way, both images encoded, {WIDTH}×{HEIGHT}, one thread; RAFT-small "
            f"with {UPDATES} updates; mvflow without the dis that it starts from. Times are "
            "relative to fp32 with channels-last memory in torch, which is what precision `fp32` "
            "runs, measured in turn. EPE in px: mean over pairs of the images' means, on "
            f"{public} public pairs and on {SYNTHETIC_PAIRS} held-out synthetic pairs, cropped or "
            "padded to that size; lower is better.",
            "",
            f"Processor of this run: {processor()}.",
            "",
            "| model | variant | times faster | EPE public | change | EPE synthetic | change |",
            "|---|---|---|---|---|---|---|",
            *(
                _row(model, title, results)
                for model, title in results
                if (model, VARIANTS[0].title) in results
            ),
            "",
        ]
    )


def processor() -> str:
    """Its matrix and vector units, which decide what pays."""
    capabilities: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    wanted = ("avx2", "avx_vnni", "avx512_f", "avx512_vnni", "avx512_bf16", "amx_int8", "amx_bf16")
    return ", ".join(name for name in wanted if capabilities.get(name)) or "unknown units"


def _row(model: str, title: str, results: dict[tuple[str, str], Measurement]) -> str:
    base, own = results[model, VARIANTS[0].title], results[model, title]
    if own.error:
        return f"| {model} | {title} | – | {own.error} | | | |"
    return (
        f"| {model} | {title} | {own.plain_cpu_s / own.cpu_s:.2f} | "
        f"{own.epe_px:.3f} | {own.epe_px / base.epe_px - 1:+.1%} | "
        f"{own.synthetic_epe_px:.3f} | {own.synthetic_epe_px / base.synthetic_epe_px - 1:+.1%} |"
    )


def _inputs(first_b3hw: Tensor, second_b3hw: Tensor, start_b2hw: Tensor) -> Inputs:
    return {"first_b3hw": first_b3hw, "second_b3hw": second_b3hw, "start_b2hw": start_b2hw}


def _tensor(image_hwc: NDArray[np.generic]) -> Tensor:
    return torch.from_numpy(image_hwc.astype(np.float32)).permute(2, 0, 1)[None]


def _fitted(image: NDArray[Any], padding: Literal["edge", "constant"]) -> NDArray[Any]:
    """Cropped or padded about the middle to the common size."""
    for axis, size in enumerate((HEIGHT, WIDTH)):
        have = image.shape[axis]
        if have > size:
            image = image.take(range((have - size) // 2, (have - size) // 2 + size), axis)
        else:
            before = (size - have) // 2
            widths = [(0, 0)] * image.ndim
            widths[axis] = (before, size - have - before)
            image = np.pad(image, widths, mode=padding)
    return np.ascontiguousarray(image)


if __name__ == "__main__":
    sys.exit(main())
