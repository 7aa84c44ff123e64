"""What was left out because it moves by itself."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from mvrecon.artifacts.frames import image_item
from mvrecon.artifacts.poses import moving_mask_item
from mvrecon.report.contents import ReportInput
from mvrecon.report.markup import picture, section
from mvrecon.report.pictures import read_rgb, spread

MAX_PICTURES = 6
PICTURE_PX = 420
MIN_SHARE = 0.005
MOVING_RGB = (235, 60, 50)
OPACITY = 0.55


def moving_section(report: ReportInput) -> str:
    """Several key frames with their masks in colour; nothing if nothing moves."""
    folder = report.stage("pose").folder
    paths = sorted(folder.glob(moving_mask_item("*"))) if folder is not None else []
    shares = {path: _mask(path).mean() for path in paths}
    moving = [path for path, share in shares.items() if share > MIN_SHARE]
    pictures = []
    for path in (moving[i] for i in spread(len(moving), MAX_PICTURES)):
        image_hw3 = read_rgb(report.item("pose", image_item(path.stem)))
        if image_hw3 is not None:
            caption = f"{path.stem}, {shares[path]:.0%} moves"
            pictures.append(picture(_painted(image_hw3, _mask(path)), caption, PICTURE_PX))
    if not pictures:
        return ""
    note = (
        f"Something moves by itself in {len(moving)} of {len(paths)} key frames: no rigid scene "
        "explains its flow. It is left out of depth and surface (--pose.moving.mode keep takes it in)."
    )
    return section("moving", "Moving things", note, f'<div class="row">{"".join(pictures)}</div>')


def _mask(path: Path) -> NDArray[np.bool_]:
    return np.asarray(cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)) > 127


def _painted(image_hw3: NDArray[np.uint8], mask_hw: NDArray[np.bool_]) -> NDArray[np.uint8]:
    size = image_hw3.shape[1], image_hw3.shape[0]
    is_moving_hw = cv2.resize(mask_hw.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0
    painted_hw3 = image_hw3.astype(np.float32)
    painted_hw3[is_moving_hw] *= 1.0 - OPACITY
    painted_hw3[is_moving_hw] += OPACITY * np.array(MOVING_RGB, np.float32)
    return painted_hw3.astype(np.uint8)
