"""Pixels of stored key frames."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mvrecon.artifacts.frames import image_item
from mvrecon.engine.stage import StoredItems
from mvrecon.errors import InputError
from mvrecon.formats.images import read_pixels
from mvrecon.geometry.resize import resize_by_area


def read_key_frame(
    stored: StoredItems,
    name: str,
    size_wh: tuple[int, int] | None = None,
    kind: Literal["rgb", "grey"] = "rgb",
) -> NDArray[np.uint8]:
    """Image (h, w, 3) or (h, w) of a key frame.

    Args:
        stored: items of the pose stage (undistorted) or of the frames stage.
        name: of the key frame.
        size_wh: to shrink it to, in whole grey levels; as it is stored if None.
        kind: RGB or grey.

    Raises:
        InputError: the image is not readable.
    """
    path = stored.path(image_item(name))
    try:
        pixels: NDArray[np.uint8] = read_pixels(path, kind)
    except InputError as error:
        raise InputError(
            f"cannot read image {path} of a key frame", "Rerun with --rerun-from pose"
        ) from error
    return pixels if size_wh is None else resize_by_area(pixels, size_wh)
