"""The views of one depth map, and the sizes that they are worked on at."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from mvrecon.geometry.camera import Camera
from mvrecon.geometry.transfer import FloatMap, PixelTransfer

# The sweep's memory does not grow with the resolution of the result.
MAX_SWEEP_SIZE_PX = 480
# The network halves its images so many times; its start is at half its size.
NETWORK_STRIDE = 32
NETWORK_SIZE_PX = 2 * MAX_SWEEP_SIZE_PX
# Neighbours that the network compares a view with.
MATCHED_VIEWS = 4


@dataclass(frozen=True)
class View:
    """A grey image with its camera.

    Attributes:
        gray_hw: float32, 0…255.
        camera: pinhole camera of this size.
        cam_from_world: (4, 4).
    """

    gray_hw: FloatMap
    camera: Camera
    cam_from_world: NDArray[np.float64]

    def halved(self) -> View:
        """The view at half its resolution."""
        camera = halved_camera(self.camera)
        size_wh = (camera.width, camera.height)
        gray_hw = cv2.resize(self.gray_hw, size_wh, interpolation=cv2.INTER_AREA)
        return View(np.asarray(gray_hw, np.float32), camera, self.cam_from_world)


def halved_camera(camera: Camera) -> Camera:
    """The camera at half its resolution."""
    return camera.scaled(max(camera.width // 2, 1), max(camera.height // 2, 1))


def pyramid_levels(camera: Camera) -> int:
    """How many times a view is halved before the sweep, at least once."""
    levels = 1
    while max(camera.width, camera.height) >> levels > MAX_SWEEP_SIZE_PX:
        levels += 1
    return levels


def sweep_camera(camera: Camera) -> Camera:
    """The camera at the resolution that is swept."""
    for _ in range(pyramid_levels(camera)):
        camera = halved_camera(camera)
    return camera


def network_camera(camera: Camera) -> Camera:
    """The camera at a size that the depth network takes: multiples of 32, bounded."""
    scale = min(NETWORK_SIZE_PX / max(camera.width, camera.height), 1.0)
    width, height = (
        max(round(scale * side / NETWORK_STRIDE), 1) * NETWORK_STRIDE
        for side in (camera.width, camera.height)
    )
    return camera.scaled(width, height)


def transfer_between(view: View, other: View) -> PixelTransfer:
    """Transfer from the pixels of `view` to those of `other`."""
    return PixelTransfer.between(
        view.camera, view.cam_from_world, other.camera, other.cam_from_world
    )
