"""Depth maps of a run as pictures: image, true depth, estimate, relative error."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from mvrecon.evaluation.bench.flow.pictures import UNKNOWN_RGB, Picture, side_by_side
from mvrecon.evaluation.metrics.depth import JudgedDepth, depth_errors
from mvrecon.evaluation.run.depth import middle_depth
from mvrecon.formats.images import read_pixels
from mvrecon.report.pictures import depth_limits, depth_rgb

# Relative errors are coloured from 0 to this.
WORST = 0.2


def middle_depth_strip(run_dir: Path, dataset: Path) -> tuple[str, float, Picture] | None:
    """The key frame in the middle of a run: its name, its AbsRel and a strip of pictures.

    Returns:
        None if there is no such depth map, or no truth for it.

    Raises:
        InputError: files are missing or unreadable, or the set is not of this run.
        ValueError: the trajectory cannot be aligned.
    """
    for frame, _, judged in middle_depth(run_dir, dataset):
        images = sorted((run_dir / "images").glob(f"{frame.name}.*"))
        image_hw3 = read_pixels(images[0]) if images else None
        abs_rel = depth_errors(judged.estimate_hw, judged.truth_hw).abs_rel
        return frame.name, abs_rel, depth_strip(judged, image_hw3)
    return None


def depth_strip(judged: JudgedDepth, image_hw3: Picture | None) -> Picture:
    """Image, true and estimated depth in one colour scale, and the relative error, side by side.

    Args:
        judged: estimate and truth.
        image_hw3: RGB of any size; black if None.
    """
    truth_hw, estimate_hw = judged.truth_hw, judged.estimate_hw
    height, width = truth_hw.shape
    if image_hw3 is None:
        image_hw3 = np.zeros((height, width, 3), np.uint8)
    limits = depth_limits(truth_hw)
    both_hw = (truth_hw > 0) & (estimate_hw > 0)
    error_hw = np.abs(estimate_hw / np.where(both_hw, truth_hw, 1) - 1)
    level_hw = np.round(255 * np.clip(error_hw / WORST, 0, 1)).astype(np.uint8)
    error_hw3 = cv2.applyColorMap(level_hw, cv2.COLORMAP_INFERNO)[..., ::-1].copy()
    error_hw3[~both_hw] = UNKNOWN_RGB
    return side_by_side(
        [
            np.asarray(cv2.resize(image_hw3, (width, height), interpolation=cv2.INTER_AREA)),
            depth_rgb(truth_hw, limits),
            depth_rgb(estimate_hw, limits),
            np.asarray(error_hw3, np.uint8),
        ],
        cv2.INTER_AREA,
    )
