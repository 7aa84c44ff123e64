"""Where depth is wrong: at the edges of things or within them; how far confidence tells."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from mvrecon.artifacts.depth import DepthMap
from mvrecon.datasets.posed import load_posed_set
from mvrecon.evaluation.metrics.trajectory import align_poses
from mvrecon.evaluation.run.depth import TrueDepth
from mvrecon.evaluation.run.files import match_frames, read_key_frames
from mvrecon.geometry.camera import Camera

# Relative jump of the true depth between neighbouring pixels that is an edge.
JUMP = 0.05
REACH_PX = 6
WRONG = 0.05
# Below this the surface stage does not look at a pixel.
LEAST_CONFIDENCE = 0.15

Mask = NDArray[np.bool_]


def edges(truth_hw: NDArray[np.float32]) -> Mask:
    """Pixels within a few of a jump of the true depth."""
    kernel = np.ones((3, 3), np.uint8)
    known_hw = truth_hw > 0
    near_hw = cv2.erode(np.where(known_hw, truth_hw, np.float32(1e9)), kernel)
    far_hw = cv2.dilate(np.where(known_hw, truth_hw, np.float32(0)), kernel)
    jump_hw = known_hw & (far_hw > (1 + JUMP) * near_hw)
    return cv2.dilate(jump_hw.astype(np.uint8), np.ones((2 * REACH_PX + 1,) * 2, np.uint8)) > 0


def edge_figures(run_dir: Path, dataset: Path) -> dict[str, float]:
    """Figures of the maps in `depth/` at edges of the true depth, and within surfaces."""
    posed_set = load_posed_set(dataset)
    matched = match_frames(read_key_frames(run_dir), posed_set)
    alignment = align_poses(
        np.stack([frame.world_from_cam for frame in matched]),
        np.stack([frame.truth.world_from_cam for frame in matched]),
    )
    truth = TrueDepth(posed_set)
    parts: dict[str, list[tuple[NDArray[np.float32], NDArray[np.float32]]]] = {}
    for frame in matched:
        depth = DepthMap.load(run_dir / "depth" / f"{frame.name}.npz")
        (height, width), k_33 = depth.depth_hw.shape, depth.k_33
        camera = Camera(width, height, k_33[0, 0], k_33[1, 1], k_33[0, 2], k_33[1, 2])
        truth_hw = truth.along(frame, camera)
        both_hw = (truth_hw > 0) & (depth.depth_hw > 0)
        edge_hw = edges(truth_hw)
        for name, part_hw in (("edges", edge_hw), ("within", ~edge_hw)):
            chosen_hw = both_hw & part_hw
            ratio_n = depth.depth_hw[chosen_hw] * alignment.scale / truth_hw[chosen_hw]
            parts.setdefault(name, []).append(
                (ratio_n.astype(np.float32), depth.confidence_hw[chosen_hw])
            )
    found: dict[str, float] = {}
    for name, pairs in parts.items():
        ratio_n, confidence_n = (np.concatenate(one) for one in zip(*pairs, strict=True))
        found |= {f"{key}_{name}": value for key, value in _of(ratio_n, confidence_n).items()}
    return found


def _of(ratio_n: NDArray[np.float32], confidence_n: NDArray[np.float32]) -> dict[str, float]:
    """Of pixels with estimate / truth and confidence: AbsRel, too near, too far, weight wrong."""
    error_n = np.abs(ratio_n - 1)
    weight_n = np.where(confidence_n >= LEAST_CONFIDENCE, confidence_n, 0)
    return {
        "abs_rel": float(error_n.mean()),
        "near": float((ratio_n < 1 - WRONG).mean()),
        "far": float((ratio_n > 1 + WRONG).mean()),
        "wrong": float(weight_n[error_n > WRONG].sum() / weight_n.sum()),
    }
