"""Images and models without lens distortion."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from mvrecon.formats.colmap_model import NO_POINT, ColmapModel
from mvrecon.geometry.camera import Camera
from mvrecon.geometry.undistortion import distorting_map

FloatArray = NDArray[np.float64]

# Below this shift the pixels stay as they are.
NEGLIGIBLE_SHIFT_PX = 0.1
BORDER_SAMPLES = 64
MAX_ZOOM = 3.0
# Images mostly share a camera.
REMEMBERED_MAPS = 2
_distorting_map = lru_cache(maxsize=REMEMBERED_MAPS)(distorting_map)


def pinhole_without_blanks(camera: Camera) -> Camera:
    """Pinhole camera of the same size that sees only what `camera` sees.

    The least zoom of both focal lengths at which no pixel lies outside the distorted image.
    """
    if max_shift_px(camera) < NEGLIGIBLE_SHIFT_PX:
        return camera.pinhole()
    low, high = 1.0 / MAX_ZOOM, MAX_ZOOM
    for _ in range(40):
        middle = 0.5 * (low + high)
        if _sees_only_inside(camera, middle):
            high = middle
        else:
            low = middle
    return _zoomed(camera, high)


def max_shift_px(camera: Camera) -> float:
    """Largest distance by which distortion moves a pixel of the image."""
    if not camera.distortion:
        return 0.0
    grid_n2 = _pixels(
        np.linspace(0, camera.width - 1, BORDER_SAMPLES),
        np.linspace(0, camera.height - 1, BORDER_SAMPLES),
    )
    shift_n2 = camera.project(_rays(camera.pinhole(), grid_n2)) - grid_n2
    return float(np.linalg.norm(shift_n2, axis=1).max())


def undistort_image(
    image_hwc: NDArray[np.uint8], camera: Camera, pinhole: Camera
) -> NDArray[np.uint8]:
    """The image that `pinhole` would have taken."""
    undistorted = cv2.remap(
        image_hwc,
        _distorting_map(pinhole, camera),
        np.empty(0, np.float32),
        cv2.INTER_CUBIC,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return np.asarray(undistorted, np.uint8)


def undistort_model(model: ColmapModel, pinholes: dict[int, Camera]) -> ColmapModel:
    """The model of the undistorted images, with only the keypoints that see a point.

    Args:
        model: with distorted cameras.
        pinholes: the undistorted camera of each camera id.
    """
    images = []
    for image in model.images:
        kept = image.point_k != NO_POINT
        camera, pinhole = model.cameras[image.camera_id], pinholes[image.camera_id]
        rays = np.column_stack([camera.normalize(image.xy_k2[kept]), np.ones(int(kept.sum()))])
        images.append(replace(image, xy_k2=pinhole.project(rays), point_k=image.point_k[kept]))
    return replace(model, cameras=dict(pinholes), images=tuple(images))


def _zoomed(camera: Camera, zoom: float) -> Camera:
    return replace(camera.pinhole(), fx=camera.fx * zoom, fy=camera.fy * zoom)


def _sees_only_inside(camera: Camera, zoom: float) -> bool:
    width, height = camera.width, camera.height
    x_n, y_n = np.linspace(0, width - 1, BORDER_SAMPLES), np.linspace(0, height - 1, BORDER_SAMPLES)
    border_n2 = np.concatenate(
        [
            _pixels(x_n, np.array([0.0, height - 1.0])),
            _pixels(np.array([0.0, width - 1.0]), y_n),
        ]
    )
    source_n2 = camera.project(_rays(_zoomed(camera, zoom), border_n2))
    return bool(np.all((source_n2 >= -0.5) & (source_n2 <= [width - 0.5, height - 0.5])))


def _pixels(x_n: NDArray[np.generic], y_n: NDArray[np.generic]) -> FloatArray:
    """All pixels (n, 2) of a grid, row by row."""
    return np.stack(np.meshgrid(x_n, y_n), axis=-1).reshape(-1, 2).astype(np.float64)


def _rays(pinhole: Camera, xy_n2: FloatArray) -> FloatArray:
    return np.column_stack([pinhole.normalize(xy_n2), np.ones(len(xy_n2))])
