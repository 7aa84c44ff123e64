"""How good a depth network is on clips that training does not see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from mvrecon.evaluation.metrics.depth import depth_errors
from mvrecon.formats.images import write_png
from mvrecon.geometry.transfer import FloatMap
from mvrecon.synthetic.training.clips.files import depths_path, load_clip, load_clip_depths
from stages.depth.learned.model import depth_of
from stages.depth.learned.network import DepthNet
from stages.depth.training.clip_starts import NAME
from stages.depth.training.samples import DepthSample, clip_sample
from stages.depth.training.supervision import predict
from stages.depth.views import MATCHED_VIEWS

KEPT_SHARE = 0.8


@dataclass(frozen=True)
class ValidationClip:
    """One view of a held-out clip, and the depth that it starts from at full size."""

    kind: str
    sample: DepthSample
    start_depth_hw: FloatMap
    truth_hw: FloatMap


def validation_clips(clips: Sequence[Path]) -> list[ValidationClip]:
    """The fourth frame of each clip, as depth is made in the stage."""
    result = []
    for path in clips:
        clip, depths = load_clip(path), load_clip_depths(depths_path(path, NAME))
        row = len(clip) // 2
        sample = clip_sample(clip, depths, [row], range(MATCHED_VIEWS))
        result.append(ValidationClip(clip.kind, sample, depths.depth_thw[row], clip.depth_thw[row]))
    return result


def validate(
    network: DepthNet, clips: Sequence[ValidationClip], picture: Path | None = None
) -> dict[str, float]:
    """Mean over clips of AbsRel, of its start, at 80 % coverage, and δ < 1.25.

    Writes a picture of the first clips: image, true, first and found depth, confidence.
    """
    rows: list[dict[str, float]] = []
    stripes: list[NDArray[np.uint8]] = []
    for clip in clips:
        depth_hw, confidence_hw = estimated(network, clip.sample)
        rows.append(measured(clip, depth_hw, confidence_hw))
        if picture is not None and len(stripes) < 4 and clip.truth_hw.shape == (256, 320):
            stripes.append(_stripe(clip, depth_hw, confidence_hw))
    if picture is not None and stripes:
        write_png(picture, np.vstack(stripes))
    return {name: float(np.nanmean([row[name] for row in rows])) for name in rows[0]}


def estimated(network: DepthNet, sample: DepthSample) -> tuple[FloatMap, FloatMap]:
    """Depth and confidence (h, w) of a sample's first view."""
    with torch.inference_mode():
        output = predict(network, sample)
    image_hw3 = (255 * sample.images_t3hw[sample.rows_r[0]]).permute(1, 2, 0).byte().numpy()
    found = depth_of(output, np.ascontiguousarray(image_hw3))
    return np.float32(1) / found.inverse_depth_hw, found.confidence_hw


def measured(clip: ValidationClip, depth_hw: FloatMap, confidence_hw: FloatMap) -> dict[str, float]:
    """Errors of one depth map."""
    found, start = (depth_errors(d, clip.truth_hw) for d in (depth_hw, clip.start_depth_hw))
    known_hw = clip.truth_hw > 0
    enough = np.quantile(confidence_hw[known_hw], 1.0 - KEPT_SHARE)
    surest_hw = np.where(confidence_hw >= enough, depth_hw, 0)
    within_hw = np.abs(depth_hw / np.maximum(clip.truth_hw, 1e-9) - 1) < 0.05
    return {
        "abs_rel": found.abs_rel,
        "abs_rel_start": start.abs_rel,
        "abs_rel_80": depth_errors(surest_hw, clip.truth_hw).abs_rel,
        "median_rel": found.median_rel,
        "median_rel_start": start.median_rel,
        "delta_125": found.delta_125,
        "right": float(within_hw[known_hw].mean()),
        "confidence": float(confidence_hw[known_hw].mean()),
    }


def _stripe(clip: ValidationClip, depth_hw: FloatMap, confidence_hw: FloatMap) -> NDArray[np.uint8]:
    image_hw3 = clip.sample.images_t3hw[clip.sample.rows_r[0]].permute(1, 2, 0).numpy()
    depths = [clip.truth_hw, clip.start_depth_hw, depth_hw]
    inverses = [np.where(d > 0, 1 / np.maximum(d, 1e-9), 0) for d in depths]
    top = np.percentile(inverses[0], 99)
    coloured = [
        cv2.applyColorMap(_bytes(np.clip(inverse / top, 0, 1)), cv2.COLORMAP_TURBO)[..., ::-1]
        for inverse in inverses
    ]
    grey = np.repeat(_bytes(confidence_hw)[..., None], 3, 2)
    return np.hstack([_bytes(image_hw3), *coloured, grey])


def _bytes(values: NDArray[Any]) -> NDArray[np.uint8]:
    return (255 * values).astype(np.uint8)
