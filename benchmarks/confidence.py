"""How often depth is right whose confidence says so; confidence.md.

python -m benchmarks.confidence --clips DIR --textures PHOTOS --meshes MODELS [--fit]

Clips that are not in DIR are rendered first, of seeds that no training uses. The first are for
`--fit`, which prints the constants of the confidences' logistic models; the rest are measured.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.common import markdown
from benchmarks.confidence_pixels import Pixels, pixels_of_clip
from mvrecon.synthetic.training.clips.files import PosedClip, load_clip
from mvrecon.synthetic.training.clips.posed_clips import make_clip, render_clips
from mvrecon.synthetic.training.clips.render import texture_pyramid
from mvrecon.synthetic.training.clips.solids import load_meshes
from mvrecon.synthetic.training.textures import some_textures

TABLE = Path(__file__).with_suffix(".md")
FIRST_SEED = 700_000
SIZES_HW = ((384, 512), (480, 640), (512, 384), (320, 448))
FIT_CLIPS, MEASURED_CLIPS = 28, 16
BINS = 10
# Of logistic regressions: Newton's steps, and a pull towards 0 that hardly biases.
STEPS, RIDGE = 30, 1e-4

HEADER = f"""# Confidence

Made by `python -m benchmarks.confidence --clips DIR --textures PHOTOS --meshes MODELS`: what is
called the probability that a depth is right to 5 %, and how often it is, on {MEASURED_CLIPS}
rendered clips with inexact poses that nothing is fitted or trained on. The constants were fitted
(`--fit`) on {FIT_CLIPS} others. *ECE*: expected calibration error ({BINS} bins). *AUC*: the
probability that of a right and a wrong pixel the right one is surer.

"""


def main() -> None:
    """Measure, or fit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=Path, required=True)
    parser.add_argument("--textures", type=Path)
    parser.add_argument("--meshes", type=Path)
    parser.add_argument("--fit", action="store_true", help="print constants instead")
    options = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    make = partial(
        _clip,
        textures=texture_pyramid(some_textures(options.textures)),
        meshes=load_meshes(options.meshes) if options.meshes else [],
    )
    chosen = range(FIT_CLIPS) if options.fit else range(FIT_CLIPS, FIT_CLIPS + MEASURED_CLIPS)
    kinds: list[str] = []
    clips: list[dict[str, Pixels]] = []
    for index, path in zip(chosen, render_clips(options.clips, chosen, make), strict=True):
        clip = load_clip(path)
        kinds.append(clip.kind)
        clips.append(pixels_of_clip(clip, index))
        print(index, clip.kind, flush=True)
    if options.fit:
        fit(clips)
    else:
        TABLE.write_text(page(kinds, clips))
        print(TABLE.read_text())


def _clip(index: int, textures: list[torch.Tensor], meshes: list) -> PosedClip:  # type: ignore[type-arg]
    size_hw = SIZES_HW[index % len(SIZES_HW)]
    return make_clip(FIRST_SEED + index, textures, meshes, None, size_hw)


def page(kinds: Sequence[str], clips: Sequence[dict[str, Pixels]]) -> str:
    """The tables."""
    rows, bins = [], []
    for method in clips[0]:
        for kind in ("all", *sorted(set(kinds))):
            chosen = [c[method] for c, k in zip(clips, kinds, strict=True) if kind in ("all", k)]
            confidence_n = np.concatenate([one.confidence_n for one in chosen])
            right_n = np.concatenate([one.right_n for one in chosen])
            means = f"{confidence_n.mean():.3f}", f"{right_n.mean():.3f}"
            error = f"{calibration_error(confidence_n, right_n):.3f}"
            order = f"{area_under_curve(confidence_n, right_n):.3f}"
            rows.append((method, kind, str(len(chosen)), *means, error, order))
            if kind == "all":
                bins.append((method, *reliability(confidence_n, right_n)))
    headings = ("depth, fusion", "kind", "clips", "mean confidence", "right", "ECE", "AUC")
    steps = [f"{i / BINS:g}–{(i + 1) / BINS:g}" for i in range(BINS)]
    text = HEADER + markdown(headings, rows) + "\n## Reliability\n\nShare of right pixels"
    text += " among those of a confidence (and their share of all).\n\n"
    return text + markdown(("depth, fusion", *steps), bins)


def reliability(confidence_n: NDArray[np.float32], right_n: NDArray[np.bool_]) -> list[str]:
    """For each bin of confidence how many are right, and how many there are."""
    bin_n = np.minimum((confidence_n * BINS).astype(int), BINS - 1)
    return [
        f"{right_n[bin_n == i].mean():.2f} ({100 * (bin_n == i).mean():.0f} %)"
        if (bin_n == i).any()
        else ""
        for i in range(BINS)
    ]


def calibration_error(confidence_n: NDArray[np.float32], right_n: NDArray[np.bool_]) -> float:
    """Mean over pixels of |confidence − share that is right| of their bin (Guo et al., 2017)."""
    bin_n = np.minimum((confidence_n * BINS).astype(int), BINS - 1)
    gap_n = np.bincount(bin_n, confidence_n - right_n, BINS)
    return float(np.abs(gap_n).sum() / len(bin_n))


def area_under_curve(confidence_n: NDArray[np.float32], right_n: NDArray[np.bool_]) -> float:
    """Area under the receiver operating characteristic, by ranks."""
    rank_n = np.empty(len(confidence_n))
    rank_n[np.argsort(confidence_n, kind="stable")] = np.arange(len(confidence_n))
    right = int(right_n.sum())
    wrong = len(right_n) - right
    return float((rank_n[right_n].sum() - right * (right - 1) / 2) / max(right * wrong, 1))


def fit(clips: Sequence[dict[str, Pixels]]) -> None:
    """Print the coefficients of each method's logistic model, the constant last.

    The fusions' models are fitted on both kinds of depth, each weighing the same.
    """
    for title, methods in (
        ("sweep", ["sweep"]),
        ("learned", ["learned"]),
        ("geometric", ["sweep, geometric", "learned, geometric"]),
        ("both", ["learned, both"]),
    ):
        chosen = [clip[method] for clip in clips for method in methods]
        features_nk = np.concatenate([one.features_nk for one in chosen])
        right_n = np.concatenate([one.right_n for one in chosen])
        if title == "learned":
            features_nk = _logit(features_nk)
        if title != "sweep":  # whose terms hold one
            features_nk = np.column_stack([features_nk, np.ones(len(features_nk))])
        print(title, np.round(logistic_regression(features_nk, right_n), 3).tolist())


def _logit(probability_nk: NDArray[np.float32]) -> NDArray[np.float32]:
    bounded_nk = probability_nk.clip(1e-4, 1 - 1e-4)
    return np.asarray(np.log(bounded_nk / (1 - bounded_nk)), np.float32)


def logistic_regression(
    features_nk: NDArray[np.float32], right_n: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Coefficients by Newton's method with a small ridge."""
    terms_nk = features_nk.astype(np.float64)
    weights_k = np.zeros(terms_nk.shape[1])
    for _ in range(STEPS):
        probability_n = 1 / (1 + np.exp(-(terms_nk @ weights_k)))
        slope_k = terms_nk.T @ (probability_n - right_n) / len(right_n) + RIDGE * weights_k
        spread_n = probability_n * (1 - probability_n) / len(right_n)
        curvature_kk = (terms_nk * spread_n[:, None]).T @ terms_nk
        weights_k -= np.linalg.solve(curvature_kk + RIDGE * np.eye(len(weights_k)), slope_k)
    return weights_k


if __name__ == "__main__":
    main()
