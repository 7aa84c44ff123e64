"""The views of one depth map, and where the pixels of one fall in another."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from mvrecon.geometry.camera import Camera

FloatMap = NDArray[np.float32]

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


@dataclass(frozen=True)
class PixelTransfer:
    """Where a pixel of one view at a given inverse depth lies in another view.

    Homogeneous pixel of the other view = `infinite_33 @ (x, y, 1) + inverse_depth * epipole_3`.
    """

    infinite_33: NDArray[np.float64]
    epipole_3: NDArray[np.float64]

    @classmethod
    def between(
        cls,
        camera: Camera,
        cam_from_world: NDArray[np.float64],
        other_camera: Camera,
        other_from_world: NDArray[np.float64],
    ) -> PixelTransfer:
        """Transfer from the pixels of one posed pinhole camera to those of another."""
        other_from_cam = other_from_world @ np.linalg.inv(cam_from_world)
        k_33 = other_camera.k_33
        return cls(
            k_33 @ other_from_cam[:3, :3] @ np.linalg.inv(camera.k_33),
            k_33 @ other_from_cam[:3, 3],
        )

    def plane_homography(self, inverse_depth: float) -> NDArray[np.float64]:
        """(3, 3) transfer of all pixels of a fronto-parallel plane."""
        homography_33 = self.infinite_33.copy()
        homography_33[:, 2] += inverse_depth * self.epipole_3
        return homography_33

    def project(self, inverse_depth_hw: FloatMap) -> tuple[FloatMap, FloatMap, FloatMap]:
        """Homogeneous pixels in the other view of all pixels at their inverse depths."""
        height, width = inverse_depth_hw.shape
        x_1w = np.arange(width, dtype=np.float64)[None]
        y_h1 = np.arange(height, dtype=np.float64)[:, None]
        u_hw, v_hw, w_hw = (
            (row[0] * x_1w).astype(np.float32)
            + (row[1] * y_h1 + row[2]).astype(np.float32)
            + np.float32(epipole) * inverse_depth_hw
            for row, epipole in zip(self.infinite_33, self.epipole_3, strict=True)
        )
        return u_hw, v_hw, w_hw

    def disparity_px(self, pixels_n2: NDArray[np.float64], near: float, far: float) -> float:
        """Median length of the path that pixels take from inverse depth `far` to `near`."""
        rays_n3 = np.column_stack([pixels_n2, np.ones(len(pixels_n2))]) @ self.infinite_33.T
        ends = []
        for inverse_depth in (near, far):
            xyz_n3 = rays_n3 + inverse_depth * self.epipole_3
            ends.append(xyz_n3[:, :2] / np.maximum(np.abs(xyz_n3[:, 2:]), 1e-9))
        return float(np.median(np.linalg.norm(ends[0] - ends[1], axis=1)))


def transfer_between(view: View, other: View) -> PixelTransfer:
    """Transfer from the pixels of `view` to those of `other`."""
    return PixelTransfer.between(
        view.camera, view.cam_from_world, other.camera, other.cam_from_world
    )
