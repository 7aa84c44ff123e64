"""Evens out the brightness and white balance of views that see the same vertices.

One gain a channel and view, by least squares of the differences of log colour between the views
of a vertex, with few outliers trusted (Huber weights); as for panoramas in Brown and Lowe,
"Automatic panoramic image stitching using invariant features", IJCV 2007.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stages.texture.visibility import BestViews

FloatArray = NDArray[np.float64]

USABLE = (10, 245)  # grey levels: darker is noise, brighter may be cut off
HUBER = 0.05  # log colour: what differs more, as highlights do, counts less
ROUNDS = 5
# Strength, in vertices, with which a view is held at gain one: few shared vertices change little.
ANCHOR = 50.0
MAX_LOG_GAIN = 0.7  # a factor of two


def view_gains(best: BestViews, views: int) -> FloatArray:
    """Gains (views, 3) that make the views alike; their geometric mean is one."""
    rgb_nk3 = best.rgb_nk3
    usable_nk = (best.quality_nk > 0) & np.all(
        (rgb_nk3 > USABLE[0]) & (rgb_nk3 < USABLE[1]), axis=2
    )
    first_n = np.argmax(np.where(usable_nk, best.quality_nk, 0.0), axis=1)
    log_nk3 = np.log(np.maximum(rgb_nk3, 1).astype(np.float32))
    rows = np.arange(len(first_n))
    pairs = usable_nk & usable_nk[rows, first_n][:, None]
    pairs[rows, first_n] = False
    row_p, other_p = np.nonzero(pairs)
    a_p, b_p = best.view_nk[row_p, first_n[row_p]], best.view_nk[row_p, other_p]
    difference_p3 = log_nk3[row_p, first_n[row_p]] - log_nk3[row_p, other_p]
    gains = [_solve(a_p, b_p, difference_p3[:, channel], views) for channel in range(3)]
    log_v3 = np.clip(np.stack(gains, axis=1), -MAX_LOG_GAIN, MAX_LOG_GAIN)
    return np.asarray(np.exp(log_v3 - log_v3.mean(axis=0)))


def _solve(
    a_p: NDArray[np.int32], b_p: NDArray[np.int32], difference_p: NDArray[np.float32], views: int
) -> FloatArray:
    """Log gains (views,) with `gain_b − gain_a` near the differences."""
    gain_v = np.zeros(views)
    for _ in range(ROUNDS):
        residual_p = difference_p - (gain_v[b_p] - gain_v[a_p])
        weight_p = HUBER / np.maximum(np.abs(residual_p), HUBER)
        links_vv = np.bincount(a_p * views + b_p, weight_p, views * views).reshape(views, views)
        links_vv = links_vv + links_vv.T
        normal_vv = np.diag(links_vv.sum(axis=1) + ANCHOR) - links_vv
        pull = weight_p * difference_p
        right_v = np.bincount(b_p, pull, views) - np.bincount(a_p, pull, views)
        gain_v = np.linalg.solve(normal_vv, right_v)
    return gain_v
