"""The pinhole camera with OpenCV distortion. Pixel centres are at integer coordinates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

UNDISTORT_ITERATIONS = 20
LONGEST_SIDE_PX = 1_000_000  # of an image that anybody has


@dataclass(frozen=True)
class Camera:
    """Intrinsics of one image size.

    Attributes:
        width, height: image size in pixels.
        fx, fy, cx, cy: focal lengths and principal point in pixels.
        distortion: OpenCV's (k1, k2, p1, p2), or () for a pure pinhole.
    """

    width: int
    height: int
    fx: float
    fy: float
    cx: float
    cy: float
    distortion: tuple[float, ...] = ()

    @property
    def is_possible(self) -> bool:
        """Whether a camera can be like that: sizes and focal lengths above 0, all finite."""
        numbers = (self.width, self.height, self.fx, self.fy, self.cx, self.cy, *self.distortion)
        return (
            all(np.isfinite(numbers))
            and 1 <= self.width <= LONGEST_SIDE_PX
            and 1 <= self.height <= LONGEST_SIDE_PX
            and self.fx > 0
            and self.fy > 0
            and len(self.distortion) in (0, 4)
        )

    @property
    def k_33(self) -> FloatArray:
        """The calibration matrix."""
        return np.array([[self.fx, 0.0, self.cx], [0.0, self.fy, self.cy], [0.0, 0.0, 1.0]])

    def scaled(self, width: int, height: int) -> Camera:
        """The same camera for the image resized to `width` × `height`."""
        sx, sy = width / self.width, height / self.height
        return replace(
            self,
            width=width,
            height=height,
            fx=self.fx * sx,
            fy=self.fy * sy,
            cx=(self.cx + 0.5) * sx - 0.5,
            cy=(self.cy + 0.5) * sy - 0.5,
        )

    def pinhole(self) -> Camera:
        """The same camera without distortion."""
        return replace(self, distortion=())

    def zoomed(self, factor: float) -> Camera:
        """The same camera with its focal lengths times `factor`."""
        return replace(self, fx=self.fx * factor, fy=self.fy * factor)

    def project(self, points_cam_n3: FloatArray) -> FloatArray:
        """Pixels (n, 2) of points in camera coordinates, in front of the camera."""
        normalized_n2 = points_cam_n3[:, :2] / points_cam_n3[:, 2:3]
        return self._to_pixels(self._distort(normalized_n2))

    def normalize(self, pixels_n2: FloatArray) -> FloatArray:
        """Undistorted image-plane coordinates (n, 2) at depth 1 of pixels."""
        distorted_n2 = (pixels_n2 - [self.cx, self.cy]) / [self.fx, self.fy]
        if not self.distortion:
            return np.asarray(distorted_n2, dtype=np.float64)
        undistorted_n2 = distorted_n2.copy()
        for _ in range(UNDISTORT_ITERATIONS):
            undistorted_n2 += distorted_n2 - self._distort(undistorted_n2)
        return undistorted_n2

    def rays(self, pixels_n2: FloatArray) -> FloatArray:
        """Points (n, 3) at depth 1, in camera coordinates, that pixels show."""
        return np.column_stack([self.normalize(pixels_n2), np.ones(len(pixels_n2))])

    def _to_pixels(self, normalized_n2: FloatArray) -> FloatArray:
        return normalized_n2 * [self.fx, self.fy] + [self.cx, self.cy]

    def _distort(self, normalized_n2: FloatArray) -> FloatArray:
        """Brown–Conrady distortion as OpenCV defines it."""
        if not self.distortion:
            return normalized_n2
        k1, k2, p1, p2 = self.distortion
        x, y = normalized_n2[:, 0], normalized_n2[:, 1]
        r2 = x * x + y * y
        radial = 1.0 + r2 * (k1 + r2 * k2)
        return np.stack(
            [
                x * radial + 2.0 * p1 * x * y + p2 * (r2 + 2.0 * x * x),
                y * radial + p1 * (r2 + 2.0 * y * y) + 2.0 * p2 * x * y,
            ],
            axis=1,
        )

    def to_json(self) -> dict[str, Any]:
        """A form that `from_json` reads back."""
        return {
            "width": self.width,
            "height": self.height,
            "fx": self.fx,
            "fy": self.fy,
            "cx": self.cx,
            "cy": self.cy,
            "distortion": list(self.distortion),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Camera:
        """The camera that `to_json` wrote."""
        return cls(**{**data, "distortion": tuple(data["distortion"])})
