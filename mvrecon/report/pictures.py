"""Arrays as small pictures inside a page."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mvrecon.errors import InputError
from mvrecon.formats.images import encode_jpeg, read_pixels

Picture = NDArray[np.uint8]

JPEG_QUALITY = 82
NO_DEPTH_RGB = (38, 38, 42)


def captioned(image_hw3: Picture, caption: str, side_px: int) -> dict[str, str]:
    """A picture as the templates take it."""
    return {"source": data_uri(image_hw3, side_px), "caption": caption}


def data_uri(image_hw3: Picture, side_px: int) -> str:
    """A JPEG `data:` address of an RGB image, shrunk to at most `side_px` a side."""
    scale = min(1.0, side_px / max(image_hw3.shape[:2]))
    if scale < 1.0:
        size = (
            max(1, round(image_hw3.shape[1] * scale)),
            max(1, round(image_hw3.shape[0] * scale)),
        )
        image_hw3 = cv2.resize(image_hw3, size, interpolation=cv2.INTER_AREA).astype(np.uint8)
    encoded = encode_jpeg(image_hw3, JPEG_QUALITY, full_colour=False)
    return "data:image/jpeg;base64," + base64.b64encode(encoded).decode("ascii")


def read_rgb(path: Path | None) -> Picture | None:
    """RGB image (h, w, 3), None if it is missing or cannot be read: a page shows what there is."""
    try:
        return None if path is None else read_pixels(path)
    except InputError:
        return None


def depth_rgb(depth_hw: NDArray[np.float32], limits: tuple[float, float]) -> Picture:
    """Inverse depth in the "turbo" colours, near is red; no depth is dark grey.

    Args:
        depth_hw: 0 = none.
        limits: nearest and farthest depth of the colour scale.
    """
    near, far = 1.0 / limits[0], 1.0 / limits[1]
    valid_hw = depth_hw > 0
    inverse_hw = 1.0 / np.where(valid_hw, depth_hw, limits[1])
    picture = _colored((inverse_hw - far) / max(near - far, 1e-12), cv2.COLORMAP_TURBO)
    picture[~valid_hw] = NO_DEPTH_RGB
    return picture


def depth_limits(depth_hw: NDArray[np.float32]) -> tuple[float, float]:
    """Nearest and farthest depth for colours, without the outer 2 % on both sides."""
    values = depth_hw[depth_hw > 0]
    if len(values) == 0:
        return 1.0, 2.0
    near, far = np.percentile(values, [2, 98])
    return float(near), float(max(far, near * 1.001))


def confidence_rgb(confidence_hw: NDArray[np.float32]) -> Picture:
    """Confidence 0…1 in the "viridis" colours, certain is yellow."""
    return _colored(confidence_hw, cv2.COLORMAP_VIRIDIS)


def _colored(values_hw: NDArray[Any], colormap: int) -> Picture:
    bytes_hw = np.round(np.clip(values_hw, 0.0, 1.0) * 255).astype(np.uint8)
    return np.ascontiguousarray(cv2.applyColorMap(bytes_hw, colormap)[..., ::-1], np.uint8)


def spread(count: int, limit: int) -> list[int]:
    """At most `limit` indices below `count`, evenly spread."""
    return sorted({int(i) for i in np.linspace(0, count - 1, min(count, limit)).round()})
