"""Values of images at sub-pixel positions. Pixel centres are at integer coordinates."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
from numpy.typing import NDArray


def sample_bilinear(
    values_hwc: NDArray[np.float32], xy_n2: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Values (n,) or (n, c) of an image (h, w) or (h, w, c) at pixels (n, 2).

    Positions outside are moved to the border first.
    """
    values = values_hwc[..., None] if values_hwc.ndim == 2 else values_hwc
    sampled_nc = np.empty((len(xy_n2), values.shape[2]))
    _compiled_sampling()(
        np.ascontiguousarray(values, np.float32),
        np.ascontiguousarray(xy_n2, np.float64),
        sampled_nc,
    )
    return sampled_nc[:, 0] if values_hwc.ndim == 2 else sampled_nc


@cache
def _compiled_sampling() -> Callable[..., None]:
    """Compiled when it is needed: most processes that know of geometry sample nothing."""
    from mvrecon.compiled import compiled

    return compiled(_sample)


def _sample(
    values_hwc: NDArray[np.float32], xy_n2: NDArray[np.float64], sampled_nc: NDArray[np.float64]
) -> None:
    height, width, channels = values_hwc.shape
    for n in range(len(xy_n2)):
        x, y = xy_n2[n, 0], xy_n2[n, 1]
        # So written, what is no number goes to the border, too.
        x, y = x if x > 0.0 else 0.0, y if y > 0.0 else 0.0
        x, y = x if x < width - 1.0 else width - 1.0, y if y < height - 1.0 else height - 1.0
        left, top = min(int(x), max(width - 2, 0)), min(int(y), max(height - 2, 0))
        right, bottom = min(left + 1, width - 1), min(top + 1, height - 1)
        along, down = x - left, y - top
        for c in range(channels):
            upper = values_hwc[top, left, c] * (1.0 - along) + values_hwc[top, right, c] * along
            lower = (
                values_hwc[bottom, left, c] * (1.0 - along) + values_hwc[bottom, right, c] * along
            )
            sampled_nc[n, c] = upper * (1.0 - down) + lower * down


def inside(xy_n2: NDArray[np.floating], width: int, height: int) -> NDArray[np.bool_]:
    """Which pixels (n, 2) lie between the centres of the border pixels."""
    return np.asarray(
        (xy_n2[:, 0] >= 0)
        & (xy_n2[:, 1] >= 0)
        & (xy_n2[:, 0] <= width - 1)
        & (xy_n2[:, 1] <= height - 1)
    )


def rescale_pixels(
    xy_n2: NDArray[np.floating], scale_2: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Pixels of the image resized by `scale_2` (x, y): edges, not centres, stay put."""
    return np.asarray((xy_n2 + 0.5) * scale_2 - 0.5)
