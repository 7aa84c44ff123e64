"""Points that a person picks, the distance between two of them, and the scale that it gives."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mvrecon.geometry.raycasting import TriangleScene

FloatArray = NDArray[np.float64]

# A click on a cloud means the nearest of the points that are seen within this angle of it.
PICK_ANGLE_RAD = math.radians(0.6)


def met_triangle(
    triangles: TriangleScene, eye_3: FloatArray, ray_3: FloatArray
) -> FloatArray | None:
    """Where a ray first meets a surface; None if it does not."""
    hits = triangles.cast(eye_3[None].astype(np.float32), ray_3[None].astype(np.float32))
    if not hits.met_n[0]:
        return None
    return np.asarray(eye_3 + float(hits.distance_n[0]) * ray_3)


def met_point(
    xyz_n3: NDArray[np.float32], eye_3: FloatArray, ray_3: FloatArray
) -> FloatArray | None:
    """The nearest of the points (n, 3) that lie within `PICK_ANGLE_RAD` of a ray, if any does."""
    offset_n3 = xyz_n3 - eye_3
    along_n = offset_n3 @ (ray_3 / np.linalg.norm(ray_3))
    distance_n = np.linalg.norm(offset_n3, axis=1)
    near = np.nonzero(along_n > distance_n * math.cos(PICK_ANGLE_RAD))[0]
    if len(near) == 0:
        return None
    return np.asarray(xyz_n3[near[np.argmin(along_n[near])]], np.float64)


@dataclass(frozen=True)
class Length:
    """The distance of two picked points.

    Attributes:
        ends: world coordinates of at most two points.
        in_metres: whether the world is in metres already.
    """

    ends: Sequence[FloatArray]
    in_metres: bool = False

    @property
    def measured(self) -> float | None:
        """In world units; None before there are two points."""
        if len(self.ends) < 2:
            return None
        return float(np.linalg.norm(self.ends[1] - self.ends[0]))

    def told(self) -> str:
        """It, in words."""
        if self.measured is None:
            return f"click point {len(self.ends) + 1} of 2"
        return f"{self.measured:.4g} {'m' if self.in_metres else 'units'}"

    def scale_told(self, true_m: float) -> str:
        """What the true length says of the scale, in words; "" where nothing can be said."""
        if not self.measured or not true_m > 0:
            return ""
        if self.in_metres:
            return f"{100 * (self.measured / true_m - 1):+.1f} % off"
        return f"1 unit = {true_m / self.measured:.5g} m"

    def scale_option(self, true_m: float) -> str:
        """What makes the run's unit a metre; "" where that is not known, or is so already."""
        if not self.measured or not true_m > 0 or self.in_metres:
            return ""
        ends = ":".join(",".join(f"{value:.6g}" for value in end) for end in self.ends)
        return f"--pose.scale points:{ends}:{true_m:g}"
