"""Both depth models as the stage runs them, on clips that training never saw; depth_held_out.md.

python -m benchmarks.depth_held_out --clips DIR [--weights FILE]
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from mvrecon.evaluation.metrics.depth import abs_rel_by_confidence, depth_errors
from mvrecon.synthetic.training.clips.files import PosedClip, clip_paths, held_out, load_clip
from stages.clip_pipeline import clip_estimator
from stages.depth.config import DepthConfig

TABLE = Path(__file__).with_suffix(".md")
MODELS = ("sweep", "learned")
BINS = 10
RIGHT = 0.05
# Of the pixels of a map, for the calibration.
EVERY = 7

HEADER = """# Depth on held-out clips

Made by `python -m benchmarks.depth_held_out --clips DIR`: the middle frame of every tenth rendered
clip, which training leaves out, as the depth stage makes it, with poses as inexact as a pose
stage's. Means over clips; *80 %*: of the surest pixels.

| kind | clips | AbsRel sweep | learned | median error sweep | learned |\
 δ < 1.25 sweep | learned | AbsRel 80 % sweep | learned |
|---|---|---|---|---|---|---|---|---|---|
"""
CALIBRATION = """
## Confidence

The probability that a depth is right to 5 %, and how often it was; all pixels of all clips.

| model | mean confidence | right | expected calibration error |\
 AbsRel 80 % / all, mean over clips | the same, if the error were known |
|---|---|---|---|---|---|
"""


@dataclass(frozen=True)
class Measured:
    """One map: errors, AbsRel at 80 % by confidence and by error, and pixels for calibration."""

    abs_rel: float
    median_rel: float
    delta_125: float
    abs_rel_80: float
    least_80: float
    confidence_n: NDArray[np.float32]
    right_n: NDArray[np.bool_]


def main() -> None:
    """Measure both models on all held-out clips, write the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=Path, required=True, help="of mvrecon train depth")
    parser.add_argument("--weights", type=Path, help="of the learned model, not the shipped ones")
    options = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    kinds: list[str] = []
    rows: dict[str, list[Measured]] = {model: [] for model in MODELS}
    for path in held_out(clip_paths(options.clips))[1]:
        clip = load_clip(path)
        kinds.append(clip.kind)
        with tempfile.TemporaryDirectory() as folder:
            for model in MODELS:
                weights = options.weights if model == "learned" else None
                config = DepthConfig.model_validate(
                    {"model": model, "learned": {"weights": weights}}
                )
                rows[model].append(_measure(clip, Path(folder), config))
        pair = " ".join(f"{model} {rows[model][-1].abs_rel:.4f}" for model in MODELS)
        print(path.stem, clip.kind, pair, flush=True)
    lines = [_line(kind, kinds, rows) for kind in [*sorted(set(kinds)), "all"]]
    page = HEADER + "\n".join(lines) + "\n" + CALIBRATION
    page += "\n".join(_calibration(model, rows[model]) for model in MODELS) + "\n"
    TABLE.write_text(page)
    print(page)


def _measure(clip: PosedClip, folder: Path, config: DepthConfig) -> Measured:
    row = len(clip) // 2
    found = clip_estimator(clip, folder, config).depth_map(row)
    truth_hw = clip.depth_thw[row]
    known_hw = truth_hw > 0
    errors = depth_errors(found.depth_hw, truth_hw)
    miss_hw = np.abs(found.depth_hw / np.where(known_hw, truth_hw, 1.0) - 1)
    curve, best = (
        abs_rel_by_confidence(found.depth_hw, sureness_hw, truth_hw)
        for sureness_hw in (found.confidence_hw, -miss_hw)
    )
    return Measured(
        errors.abs_rel,
        errors.median_rel,
        errors.delta_125,
        curve[0.8],
        best[0.8],
        found.confidence_hw[known_hw][::EVERY],
        (miss_hw < RIGHT)[known_hw][::EVERY],
    )


def _line(kind: str, kinds: Sequence[str], rows: dict[str, list[Measured]]) -> str:
    chosen = [index for index, one in enumerate(kinds) if kind in (one, "all")]
    cells = []
    for figure in ("abs_rel", "median_rel", "delta_125", "abs_rel_80"):
        for model in MODELS:
            mean = np.mean([getattr(rows[model][index], figure) for index in chosen])
            cells.append(f"{mean:.3f}")
    return f"| {kind} | {len(chosen)} | " + " | ".join(cells) + " |"


def _calibration(model: str, rows: Sequence[Measured]) -> str:
    confidence_n = np.concatenate([row.confidence_n for row in rows])
    right_n = np.concatenate([row.right_n for row in rows]).astype(np.float64)
    bin_n = np.minimum((confidence_n * BINS).astype(int), BINS - 1)
    gaps = [
        (bin_n == index).mean()
        * abs(confidence_n[bin_n == index].mean() - right_n[bin_n == index].mean())
        for index in range(BINS)
        if (bin_n == index).any()
    ]
    kept, least = (
        np.mean([getattr(row, name) / row.abs_rel for row in rows])
        for name in ("abs_rel_80", "least_80")
    )
    cells = [confidence_n.mean(), right_n.mean(), sum(gaps), kept, least]
    return f"| {model} | " + " | ".join(f"{cell:.3f}" for cell in cells) + " |"


if __name__ == "__main__":
    main()
