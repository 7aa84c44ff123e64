"""The picture that is taken of each frame of an input: without black bars, or a view through it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from mvrecon.geometry.camera import Camera
from mvrecon.geometry.resize import fit_size, resize_by_area

Pixels = NDArray[np.uint8]
Size = tuple[int, int]
Read = Callable[[int | None], Pixels]
"""Reads a frame with its longer side at most so many pixels."""

SAME_SHAPE = 0.01  # relative difference of width : height that rounding leaves


@dataclass(frozen=True)
class Crop:
    """A part of each frame.

    Attributes:
        whole: (width, height) of the frames.
        box: left, top, right, bottom: pixels cut off at each side.
    """

    whole: Size
    box: tuple[int, int, int, int]

    @property
    def size(self) -> Size:
        """(width, height) of what is left."""
        left, top, right, bottom = self.box
        return self.whole[0] - left - right, self.whole[1] - top - bottom

    def read(self, read: Read, longest_px: int | None) -> Pixels:
        """The part of a frame; a frame of another shape as it is."""
        wanted = fit_size(self.size, longest_px)
        scale = wanted[0] / self.size[0]
        frame = read(None if scale == 1.0 else math.ceil(scale * max(self.whole)))
        height, width = frame.shape[:2]
        if abs(width * self.whole[1] / (height * self.whole[0]) - 1) > SAME_SHAPE:
            return read(longest_px)
        x_scale, y_scale = width / self.whole[0], height / self.whole[1]
        left, top, right, bottom = self.box
        inside = frame[
            math.ceil(top * y_scale) : height - math.ceil(bottom * y_scale),
            math.ceil(left * x_scale) : width - math.ceil(right * x_scale),
        ]
        return resize_by_area(np.ascontiguousarray(inside), wanted)

    def camera(self, given: Camera | None) -> Camera | None:
        """A camera of the whole frames, as that of the part."""
        if given is None:
            return None
        left, top, _, _ = self.box
        width, height = self.size
        return Camera(
            width, height, given.fx, given.fy, given.cx - left, given.cy - top, given.distortion
        )


@dataclass(frozen=True)
class Face:
    """A pinhole camera's view through a frame that shows more than one can.

    Attributes:
        lens: `equirect`: all round, longitude and latitude; `fisheye`: equidistant, centred.
        whole: (width, height) of the frames.
        size: (width, height) of the view.
        focal_px: of the view.
        yaw_deg: to the right of the frame's middle.
        lens_focal_px: of a fisheye, pixels for each radian off the axis.
    """

    lens: Literal["equirect", "fisheye"]
    whole: Size
    size: Size
    focal_px: float
    yaw_deg: float = 0.0
    lens_focal_px: float = 0.0

    def read(self, read: Read, longest_px: int | None) -> Pixels:
        """The view through a frame."""
        wanted = fit_size(self.size, longest_px)
        scale = wanted[0] / self.size[0]
        frame = read(None if scale == 1.0 else math.ceil(scale * max(self.whole)))
        x_hw, y_hw = _places(self, wanted, (frame.shape[1], frame.shape[0]))
        seen = cv2.remap(frame, x_hw, y_hw, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
        return np.asarray(seen, np.uint8)

    def camera(self, given: Camera | None) -> Camera:
        """The view's own: nothing else is known better."""
        width, height = self.size
        return Camera(
            width, height, self.focal_px, self.focal_px, (width - 1) / 2, (height - 1) / 2
        )


FrameView = Crop | Face


def view_to_json(view: FrameView) -> dict[str, Any]:
    """A form that `view_from_json` reads back."""
    return asdict(view)


def view_from_json(data: Mapping[str, Any]) -> FrameView:
    """The view that `view_to_json` wrote."""
    values: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in data.items()
    }
    return Crop(**values) if "box" in values else Face(**values)


@lru_cache(maxsize=8)
def _places(face: Face, size: Size, frame_size: Size) -> tuple[NDArray[Any], NDArray[Any]]:
    """Pixels (h, w) of the frame, x and y, that the view's pixels show."""
    camera = face.camera(None).scaled(*size)
    x, y = np.meshgrid(np.arange(size[0]), np.arange(size[1]))
    rays_n3 = camera.rays(np.stack([x, y], axis=-1).reshape(-1, 2).astype(np.float64))
    yaw_rad = math.radians(face.yaw_deg)
    cosine, sine = math.cos(yaw_rad), math.sin(yaw_rad)
    right_n = cosine * rays_n3[:, 0] + sine * rays_n3[:, 2]
    ahead_n = cosine * rays_n3[:, 2] - sine * rays_n3[:, 0]
    down_n = rays_n3[:, 1]
    width, height = frame_size
    if face.lens == "equirect":
        across_n = np.arctan2(right_n, ahead_n) / (2 * math.pi) + 0.5
        down = np.arctan2(down_n, np.hypot(right_n, ahead_n)) / math.pi + 0.5
        x_n, y_n = across_n * width - 0.5, np.clip(down * height - 0.5, 0, height - 1)
    else:
        off_n = np.hypot(right_n, down_n)
        pixels = face.lens_focal_px * width / face.whole[0]
        reach_n = pixels * np.arctan2(off_n, ahead_n) / np.maximum(off_n, 1e-12)
        x_n = (width - 1) / 2 + reach_n * right_n
        y_n = (height - 1) / 2 + reach_n * down_n
    shape = size[1], size[0]
    return x_n.reshape(shape).astype(np.float32), y_n.reshape(shape).astype(np.float32)
