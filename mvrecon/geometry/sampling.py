"""Values of images at sub-pixel positions. Pixel centres are at integer coordinates."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def sample_bilinear(
    values_hwc: NDArray[np.float32], xy_n2: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Values (n,) or (n, c) of an image (h, w) or (h, w, c) at pixels (n, 2).

    Positions outside are moved to the border first.
    """
    height, width = values_hwc.shape[:2]
    x_n = np.clip(xy_n2[:, 0], 0.0, width - 1.0)
    y_n = np.clip(xy_n2[:, 1], 0.0, height - 1.0)
    x0_n = np.minimum(x_n.astype(np.int64), max(width - 2, 0))
    y0_n = np.minimum(y_n.astype(np.int64), max(height - 2, 0))
    x1_n, y1_n = np.minimum(x0_n + 1, width - 1), np.minimum(y0_n + 1, height - 1)
    extra = (1,) * (values_hwc.ndim - 2)
    wx_n = (x_n - x0_n).reshape(-1, *extra)
    wy_n = (y_n - y0_n).reshape(-1, *extra)
    top = values_hwc[y0_n, x0_n] * (1.0 - wx_n) + values_hwc[y0_n, x1_n] * wx_n
    bottom = values_hwc[y1_n, x0_n] * (1.0 - wx_n) + values_hwc[y1_n, x1_n] * wx_n
    return np.asarray(top * (1.0 - wy_n) + bottom * wy_n)


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
