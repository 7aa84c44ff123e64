"""Images and models without lens distortion."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from mvrecon.formats.colmap.model import NO_POINT, ColmapModel
from mvrecon.geometry.camera import Camera

FloatArray = NDArray[np.float64]

# Below this shift the pixels stay as they are: resampling would blur more than it mends.
NEGLIGIBLE_SHIFT_PX = 0.1
# Pixels along each side at which distortion is looked at; it is smooth.
BORDER_SAMPLES = 64
# Bounds of the search for the zoom, a factor: stronger lenses are not believed by mapping.
MAX_ZOOM = 3.0
# Halvings of that search: to a relative 1e-11.
ZOOM_STEPS = 40


def pinhole_without_blanks(camera: Camera) -> Camera:
    """Pinhole camera of the same size that sees only what `camera` sees.

    The least zoom of both focal lengths at which no pixel lies outside the distorted image.
    """
    if max_shift_px(camera) < NEGLIGIBLE_SHIFT_PX:
        return camera.pinhole()
    low, high = 1.0 / MAX_ZOOM, MAX_ZOOM
    for _ in range(ZOOM_STEPS):
        middle = 0.5 * (low + high)
        if _sees_only_inside(camera, middle):
            high = middle
        else:
            low = middle
    return camera.pinhole().zoomed(high)


def max_shift_px(camera: Camera) -> float:
    """Largest distance by which distortion moves a pixel of the image."""
    if not camera.distortion:
        return 0.0
    grid_n2 = _pixels(
        np.linspace(0, camera.width - 1, BORDER_SAMPLES),
        np.linspace(0, camera.height - 1, BORDER_SAMPLES),
    )
    shift_n2 = camera.project(camera.pinhole().rays(grid_n2)) - grid_n2
    return float(np.linalg.norm(shift_n2, axis=1).max())


def undistort_image(
    image_hwc: NDArray[np.uint8], into_stored_hw2: NDArray[np.float32]
) -> NDArray[np.uint8]:
    """The image whose pixels lie at these pixels (h, w, 2) of the one that is stored."""
    undistorted = cv2.remap(
        image_hwc,
        into_stored_hw2,
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
        xy_k2 = pinhole.project(camera.rays(image.xy_k2[kept]))
        images.append(replace(image, xy_k2=xy_k2, point_k=image.point_k[kept]))
    return replace(model, cameras=dict(pinholes), images=tuple(images))


def _sees_only_inside(camera: Camera, zoom: float) -> bool:
    width, height = camera.width, camera.height
    x_n, y_n = np.linspace(0, width - 1, BORDER_SAMPLES), np.linspace(0, height - 1, BORDER_SAMPLES)
    border_n2 = np.concatenate(
        [
            _pixels(x_n, np.array([0.0, height - 1.0])),
            _pixels(np.array([0.0, width - 1.0]), y_n),
        ]
    )
    source_n2 = camera.project(camera.pinhole().zoomed(zoom).rays(border_n2))
    return bool(np.all((source_n2 >= -0.5) & (source_n2 <= [width - 0.5, height - 0.5])))


def _pixels(x_n: NDArray[np.generic], y_n: NDArray[np.generic]) -> FloatArray:
    """All pixels (n, 2) of a grid, row by row."""
    return np.stack(np.meshgrid(x_n, y_n), axis=-1).reshape(-1, 2).astype(np.float64)
