"""How often depth is right whose confidence says so, by each way to measure and to fuse it."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.measures.confidence_pixels import Pixels, pixels_of_clip
from benchmarks.piece import Column, Piece, Place, Row, Table
from mvrecon.synthetic.training.clips.posed_clips import make_clip
from mvrecon.synthetic.training.clips.render import texture_pyramid
from mvrecon.synthetic.training.clips.scenes import KINDS
from mvrecon.synthetic.training.textures import procedural_textures

# No training, no fit and no other table takes these seeds.
FIRST_SEED, CLIPS_A_KIND, TEXTURES = 950_001, 3, 32
SIZES_HW = ((384, 512), (480, 640), (320, 448))
BINS = 10


def measure(_: Place) -> list[Row]:
    """A row for each method and kind of scene, and one of all."""
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    pyramid = texture_pyramid(procedural_textures(TEXTURES))
    found: dict[tuple[str, str], list[Pixels]] = {}
    for number, kind in enumerate([*KINDS] * CLIPS_A_KIND):
        size_hw = SIZES_HW[number // len(KINDS)]
        clip = make_clip(FIRST_SEED + number, pyramid, (), kind, size_hw)
        for method, pixels in pixels_of_clip(clip, number).items():
            found.setdefault((method, kind), []).append(pixels)
            found.setdefault((method, "all"), []).append(pixels)
    methods = list(dict.fromkeys(method for method, _ in found))
    return [
        {"method": method, "kind": kind, "clips": len(found[method, kind])}
        | _figures(found[method, kind])
        for kind in ("all", *KINDS)
        for method in methods
    ]


def _figures(clips: Sequence[Pixels]) -> dict[str, float]:
    confidence_n = np.concatenate([one.confidence_n for one in clips])
    right_n = np.concatenate([one.right_n for one in clips])
    bin_n = np.minimum((confidence_n * BINS).astype(int), BINS - 1)
    shares = {
        f"bin{i}": float(right_n[bin_n == i].mean()) for i in range(BINS) if (bin_n == i).any()
    }
    return shares | {
        "confidence": float(confidence_n.mean()),
        "right": float(right_n.mean()),
        "calibration": calibration_error(confidence_n, right_n),
        "order": area_under_curve(confidence_n, right_n),
    }


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


TABLE = Table(
    "confidence",
    "Confidence",
    f"""
What is called the probability that a depth is right to 5 %, and how often it is: {CLIPS_A_KIND}
rendered clips of each kind of scene, with poses as inexact as a pose stage's; nothing is fitted or
trained on them. *Calibration error*: expected, over {BINS} bins. *Order*: the probability that of a
right and a wrong pixel the right one is surer. *0–0.1* …: how many pixels of such a confidence are
right. The constants come from `python -m benchmarks.tools.confidence_fit`.
""",
    (
        Column("method", "depth, fusion"),
        Column("kind", "kind"),
        Column("clips", "clips"),
        Column("confidence", "confidence", ".3f"),
        Column("right", "right", ".3f"),
        Column("calibration", "calibration error", ".3f"),
        Column("order", "order", ".3f"),
        *(Column(f"bin{i}", f"{i / BINS:g}–{(i + 1) / BINS:g}", ".2f") for i in range(BINS)),
    ),
    (
        Piece(
            "confidence/rendered",
            measure,
            ("flow", "depth", "fusion"),
            ("depth/depthnet.pt", "fusion/fusion.pt"),
        ),
    ),
)
