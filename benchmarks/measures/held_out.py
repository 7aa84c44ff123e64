"""Both depth models as the stage runs them, on rendered clips that training does not have."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.piece import Column, Piece, Place, Row, Table
from mvrecon.evaluation.metrics.depth import abs_rel_by_confidence, depth_errors
from mvrecon.synthetic.training.clips.files import PosedClip
from mvrecon.synthetic.training.clips.posed_clips import make_clip
from mvrecon.synthetic.training.clips.render import texture_pyramid
from mvrecon.synthetic.training.clips.scenes import KINDS
from mvrecon.synthetic.training.textures import procedural_textures
from stages.clip_pipeline import clip_estimator
from stages.depth.config import DepthConfig

MODELS = ("sweep", "learned")
# Training takes seeds from 0.
FIRST_SEED, CLIPS_A_KIND, TEXTURES = 900_001, 4, 32
BINS = 10
RIGHT = 0.05
# Of the pixels of a map, for the calibration.
EVERY = 7


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


def measure(_: Place) -> list[Row]:
    """A row for each model and kind of scene, and one of all."""
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    pyramid = texture_pyramid(procedural_textures(TEXTURES))
    found: dict[tuple[str, str], list[Measured]] = {}
    for number, kind in enumerate([*KINDS] * CLIPS_A_KIND):
        clip = make_clip(FIRST_SEED + number, pyramid, (), kind)
        for model in MODELS:
            with tempfile.TemporaryDirectory() as folder:
                config = DepthConfig.model_validate({"model": model})
                one = _measure(clip, Path(folder), config)
            found.setdefault((model, kind), []).append(one)
            found.setdefault((model, "all"), []).append(one)
    return [
        {"model": model, "kind": kind, "clips": len(found[model, kind])}
        | _means(found[model, kind])
        for kind in (*KINDS, "all")
        for model in MODELS
    ]


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


def _means(rows: Sequence[Measured]) -> dict[str, float]:
    names = ("abs_rel", "median_rel", "delta_125", "abs_rel_80")
    confidence_n = np.concatenate([row.confidence_n for row in rows])
    right_n = np.concatenate([row.right_n for row in rows]).astype(np.float64)
    bin_n = np.minimum((confidence_n * BINS).astype(int), BINS - 1)
    gaps = [
        (bin_n == index).mean()
        * abs(confidence_n[bin_n == index].mean() - right_n[bin_n == index].mean())
        for index in range(BINS)
        if (bin_n == index).any()
    ]
    return {name: float(np.mean([getattr(row, name) for row in rows])) for name in names} | {
        "confidence": float(confidence_n.mean()),
        "right": float(right_n.mean()),
        "calibration": float(sum(gaps)),
        "kept": float(np.mean([row.abs_rel_80 / row.abs_rel for row in rows])),
        "least": float(np.mean([row.least_80 / row.abs_rel for row in rows])),
    }


TABLE = Table(
    "held-out",
    "Depth on rendered clips",
    f"""
The middle frame of {CLIPS_A_KIND} rendered clips of each kind of scene, as the depth stage makes
it, with poses as inexact as a pose stage's. Training saw no such clip: other seeds, and textures
that are made, not photographs. Means over clips; *80 %*: of the surest pixels, *the same / all*,
and what it would be *if the error were known*. *Confidence*: the mean probability that a depth is
right to 5 %, how often it was, and the expected calibration error, over all pixels.
""",
    (
        Column("kind", "kind"),
        Column("model", "model"),
        Column("clips", "clips"),
        Column("abs_rel", "AbsRel", ".3f"),
        Column("median_rel", "median error", ".3f"),
        Column("delta_125", "δ < 1.25", ".3f"),
        Column("abs_rel_80", "AbsRel 80 %", ".3f"),
        Column("kept", "the same / all", ".3f"),
        Column("least", "if the error were known", ".3f"),
        Column("confidence", "confidence", ".3f"),
        Column("right", "right", ".3f"),
        Column("calibration", "calibration error", ".3f"),
    ),
    (Piece("held-out/rendered", measure, ("flow", "depth"), ("depth/depthnet.pt",)),),
)
