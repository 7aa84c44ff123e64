"""Clips of cameras that are not what a mapper assumes: rolling shutters and zooms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mvrecon.geometry.camera import Camera
from mvrecon.synthetic.paths import HandArc
from mvrecon.synthetic.render import RollingView, View, row_times_s


def film(
    path: HandArc,
    camera: Camera,
    times_s: NDArray[np.float64],
    seed: int,
    *,
    readout_s: float = 0.0,
    focal_factors: Sequence[float] | None = None,
) -> list[View]:
    """The views of a hand-held clip.

    Args:
        path: of the hand.
        camera: at the start.
        times_s: of the frames, when their middle row is read.
        seed: of the shaking.
        readout_s: time from the first row to the last; each row is seen from its own pose.
        focal_factors: of each frame (zoom, or breathing of the focus); 1 if None.
    """
    cameras = [
        replace(camera, fx=factor * camera.fx, fy=factor * camera.fy)
        for factor in focal_factors or [1.0] * len(times_s)
    ]
    arc_s = float(times_s[0]), float(times_s[-1])
    middle_n44 = path.poses(times_s, seed, arc_s)
    if not readout_s:
        return [View(own, pose) for own, pose in zip(cameras, middle_n44, strict=True)]
    row_s = row_times_s(times_s, camera.height, readout_s)
    rows_nh44 = path.poses(row_s.ravel(), seed, arc_s).reshape(*row_s.shape, 4, 4)
    return [
        RollingView(own, pose, rows)
        for own, pose, rows in zip(cameras, middle_n44, rows_nh44, strict=True)
    ]
