"""Maps between an image with lens distortion and the pinhole image of the same view."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mvrecon.geometry.camera import Camera


def distorting_map(pinhole: Camera, distorted: Camera) -> NDArray[np.float32]:
    """Pixel (h, w, 2) of the distorted image for each pixel of the pinhole one."""
    rays_n2 = pinhole.normalize(pixel_grid(pinhole))
    xy_n2 = distorted.project(np.column_stack([rays_n2, np.ones(len(rays_n2))]))
    return xy_n2.reshape(pinhole.height, pinhole.width, 2).astype(np.float32)


def undistorting_map(distorted: Camera, pinhole: Camera) -> NDArray[np.float32]:
    """Pixel (h, w, 2) of the pinhole image for each pixel of the distorted one."""
    rays_n2 = distorted.normalize(pixel_grid(distorted))
    xy_n2 = rays_n2 * [pinhole.fx, pinhole.fy] + [pinhole.cx, pinhole.cy]
    return xy_n2.reshape(distorted.height, distorted.width, 2).astype(np.float32)


def pixel_grid(camera: Camera) -> NDArray[np.float64]:
    """All pixels (n, 2) of a camera's image, row by row."""
    x_hw, y_hw = np.meshgrid(np.arange(camera.width), np.arange(camera.height))
    return np.column_stack([x_hw.ravel(), y_hw.ravel()]).astype(np.float64)
