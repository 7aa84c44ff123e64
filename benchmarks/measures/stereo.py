"""OpenCV's stereo beside flow between the same rectified pairs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.measures.running import MVFLOW
from benchmarks.piece import Column, Piece, Place, Row, Table
from mvrecon.datasets.flow_pairs import FlowSample
from mvrecon.datasets.flow_sets import read_flow_sets
from mvrecon.engine.measure import Usage
from mvrecon.evaluation.bench.flow.measure import load_warm
from mvrecon.formats.images import read_rgb
from stages.flow.variants import flow_variants

SETS = ("KITTI 2015 stereo", "FlyingThings3D stereo clean from left")
# KITTI's outliers: off by more than both.
WRONG_PX, WRONG_SHARE = 3.0, 0.05
SGBM = {
    "minDisparity": 0,
    "numDisparities": 192,
    "blockSize": 5,
    "P1": 8 * 3 * 5**2,
    "P2": 32 * 3 * 5**2,
    "disp12MaxDiff": 1,
    "uniquenessRatio": 10,
    "speckleWindowSize": 100,
    "speckleRange": 2,
    "mode": cv2.StereoSGBM_MODE_HH,
}
FIXED_POINT = 16
MODELS = {"sgbm": (), "dis": (), "mvflow": (MVFLOW,)}

Image = NDArray[np.uint8]
Disparity = NDArray[np.float32]  # nan where there is none
Matcher = Callable[[Image, Image], Disparity]


def measure(place: Place, label: str) -> list[Row]:
    """A row for each set."""
    sets = read_flow_sets(place.root)
    matcher = sgbm if label == "sgbm" else _by_flow(label)
    cv2.setNumThreads(1)
    return [{"set": name, "by": label, **_figures(matcher, sets[name])} for name in SETS]


def sgbm(left_hw3: Image, right_hw3: Image) -> Disparity:
    """Disparity (h, w) of the left picture by OpenCV's semi-global matching, nan where unsure."""
    found_hw = cv2.StereoSGBM.create(**SGBM).compute(left_hw3, right_hw3)
    return np.where(found_hw >= 0, found_hw / np.float32(FIXED_POINT), np.float32(np.nan))


def _by_flow(label: str) -> Matcher:
    (variant,) = flow_variants([label], {}, {})
    estimate = load_warm(variant)  # in one thread
    return lambda left, right: -estimate(left, right).forward_hw2[..., 0]


def _figures(matcher: Matcher, samples: Sequence[FlowSample]) -> dict[str, float]:
    """Pooled over the pixels of all pairs whose disparity is known."""
    errors, truths, cpu_s = [], [], 0.0
    for sample in samples:
        first, second = read_rgb(sample.first), read_rgb(sample.second)
        truth_hw2, valid_hw = sample.read_truth()
        with Usage() as usage:
            found_hw = matcher(first, second)
        cpu_s += usage.cpu_s
        truth_n = -truth_hw2[valid_hw][:, 0]
        errors.append(np.abs(found_hw[valid_hw] - truth_n))
        truths.append(truth_n)
    error_n, truth_n = np.concatenate(errors), np.concatenate(truths)
    there_n = np.isfinite(error_n)
    wrong_n = (error_n > WRONG_PX) & (error_n > WRONG_SHARE * truth_n)
    return {
        "pairs": len(samples),
        "coverage": float(there_n.mean()),
        "error_px": float(error_n[there_n].mean()),
        "wrong": float(wrong_n[there_n].mean()),
        "wrong_or_none": float((wrong_n | ~there_n).mean()),
        "cpu_s": cpu_s / len(samples),
    }


TABLE = Table(
    "stereo",
    "Rectified pairs: OpenCV's stereo beside flow",
    f"""
*sgbm*: OpenCV's `StereoSGBM`, {", ".join(f"{name} {value}" for name, value in SGBM.items())}; it
searches along rows only, and leaves out what it is unsure of. The others are flow models, which
know of no rows: the horizontal part of their flow. One thread. *wrong*: by over 3 px and over 5
%, of the pixels with an estimate; *or none*: of all pixels whose disparity is known.
""",
    (
        Column("by", "by"),
        Column("set", "set"),
        Column("pairs", "pairs"),
        Column("coverage", "coverage", ".1%"),
        Column("error_px", "error px", ".2f"),
        Column("wrong", "wrong", ".1%"),
        Column("wrong_or_none", "wrong or none", ".1%"),
        Column("cpu_s", "CPU s", ".2f"),
    ),
    tuple(
        Piece(
            f"stereo/{label}",
            partial(measure, label=label),
            () if label == "sgbm" else ("flow",),
            weights,
            ("flow", "stereo"),
            {name: int(value) for name, value in SGBM.items()} if label == "sgbm" else {},
            version=2,
        )
        for label, weights in MODELS.items()
    ),
)
