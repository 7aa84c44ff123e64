"""What was left out because it moves by itself."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from mvrecon.artifacts.frames import image_item
from mvrecon.artifacts.poses import moving_mask_item
from mvrecon.formats.images import read_pixels
from mvrecon.report.contents import ReportInput, Section
from mvrecon.report.pictures import captioned, read_rgb, spread

MAX_PICTURES = 6
PICTURE_PX = 420
MIN_SHARE = 0.005  # of the pixels: less is noise of the mask, not a thing
MOVING_RGB = (235, 60, 50)
OPACITY = 0.55


def moving_section(report: ReportInput) -> Section | None:
    """Several key frames with their masks in colour; None if nothing moves."""
    folder = report.stage("pose").folder
    paths = sorted(folder.glob(moving_mask_item("*"))) if folder is not None else []
    shares = {path: _mask(path).mean() for path in paths}
    moving = [path for path, share in shares.items() if share > MIN_SHARE]
    pictures = []
    for path in (moving[i] for i in spread(len(moving), MAX_PICTURES)):
        image_hw3 = read_rgb(report.item("pose", image_item(path.stem)))
        if image_hw3 is not None:
            caption = f"{path.stem}, {shares[path]:.0%} moves"
            pictures.append(captioned(_painted(image_hw3, _mask(path)), caption, PICTURE_PX))
    if not pictures:
        return None
    return {"moving": len(moving), "frames": len(paths), "pictures": pictures}


def _mask(path: Path) -> NDArray[np.bool_]:
    return np.asarray(read_pixels(path, "grey") > 127)


def _painted(image_hw3: NDArray[np.uint8], mask_hw: NDArray[np.bool_]) -> NDArray[np.uint8]:
    size = image_hw3.shape[1], image_hw3.shape[0]
    is_moving_hw = cv2.resize(mask_hw.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0
    painted_hw3 = image_hw3.astype(np.float32)
    painted_hw3[is_moving_hw] *= 1.0 - OPACITY
    painted_hw3[is_moving_hw] += OPACITY * np.array(MOVING_RGB, np.float32)
    return painted_hw3.astype(np.uint8)
