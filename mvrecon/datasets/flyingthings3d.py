"""FlyingThings3D (Mayer et al., "A Large Dataset to Train Convolutional Networks …", CVPR 2016)."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from mvrecon.datasets.flow_pairs import (
    FlowSample,
    Truth,
    flow_of_disparity,
    require_files,
    require_some,
)
from mvrecon.errors import InputError
from mvrecon.formats.flow import read_pfm

NAME = "FlyingThings3D"
LAYOUT = (
    "ROOT/frames_cleanpass/SPLIT/A/0000/left/0006.png and "
    "ROOT/optical_flow/SPLIT/A/0000/into_future/left/OpticalFlowIntoFuture_0006_L.pfm"
)
STEREO_NAME = "FlyingThings3D stereo"
STEREO_LAYOUT = (
    "ROOT/RGB_cleanpass/left/NAME.png, RGB_cleanpass/right/NAME.png, "
    "disparity/left/NAME.pfm and occlusion/left/NAME.png"
)


def flyingthings3d_pairs(
    root: Path, split: str = "TEST", render_pass: str = "cleanpass"
) -> Iterator[FlowSample]:
    """Pairs of consecutive left frames with flow into the future.

    Args:
        root: of the full release.
        split: TRAIN or TEST.
        render_pass: cleanpass or finalpass.

    Raises:
        InputError: no pair, or one whose images are missing.
    """
    return require_some(NAME, LAYOUT, root, _pairs(root, split, render_pass))


def flyingthings3d_stereo_pairs(root: Path) -> Iterator[FlowSample]:
    """Left to right of the stereo sample, as flow, where both cameras see the point.

    Raises:
        InputError: no pair, or one of whose files is missing.
    """
    return require_some(STEREO_NAME, STEREO_LAYOUT, root, _stereo_pairs(root))


def _pairs(root: Path, split: str, render_pass: str) -> Iterator[FlowSample]:
    flows = root / "optical_flow" / split
    for truth in sorted(flows.glob("*/*/into_future/left/OpticalFlowIntoFuture_*_L.pfm")):
        number = truth.stem.split("_")[1]
        scene = truth.parent.parent.parent.relative_to(flows)
        images = root / f"frames_{render_pass}" / split / scene / "left"
        first, second = images / f"{number}.png", images / f"{int(number) + 1:04d}.png"
        if not (truth.parent / f"OpticalFlowIntoFuture_{second.stem}_L.pfm").exists():
            # The last frame of a scene has flow, but no successor to compare it with.
            continue
        require_files(NAME, LAYOUT, [first, second])
        name = f"{scene.as_posix().replace('/', '-')}-{number}"
        yield FlowSample(name, first, second, partial(_pfm_flow, truth))


def _stereo_pairs(root: Path) -> Iterator[FlowSample]:
    for truth in sorted(root.glob("disparity/left/*.pfm")):
        left, right = (
            root / "RGB_cleanpass" / side / f"{truth.stem}.png" for side in ("left", "right")
        )
        occluded = root / "occlusion" / "left" / f"{truth.stem}.png"
        require_files(STEREO_NAME, STEREO_LAYOUT, [left, right, occluded])
        yield FlowSample(truth.stem, left, right, partial(_stereo_flow, truth, occluded))


def _pfm_flow(truth: Path) -> Truth:
    flow_hw2 = read_pfm(truth)[..., :2]
    return flow_hw2, np.asarray(np.isfinite(flow_hw2).all(axis=-1))


def _stereo_flow(truth: Path, occluded: Path) -> Truth:
    disparity_hw = np.abs(read_pfm(truth))
    occluded_hw = cv2.imread(str(occluded), cv2.IMREAD_GRAYSCALE)
    if occluded_hw is None:
        raise InputError(f"cannot read image {occluded}", "Restore the file from its data set")
    return flow_of_disparity(disparity_hw, np.asarray(occluded_hw == 0))
