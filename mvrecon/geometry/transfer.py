"""Where the pixels of one posed pinhole camera lie in another, at given depths."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from mvrecon.geometry.camera import Camera

FloatMap = NDArray[np.float32]
# An array or a tensor.
T = TypeVar("T", bound=Any)


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
        return cls.of_motion(camera.k_33, other_camera.k_33, other_from_cam)

    @classmethod
    def of_motion(
        cls,
        k_33: NDArray[np.float64],
        other_k_33: NDArray[np.float64],
        other_from_cam: NDArray[np.float64],
    ) -> PixelTransfer:
        """Transfer between cameras whose relative pose (4, 4) is known."""
        return cls(
            other_k_33 @ other_from_cam[:3, :3] @ np.linalg.inv(k_33),
            other_k_33 @ other_from_cam[:3, 3],
        )

    def single(self) -> PixelTransfer:
        """In single precision: exact to a thousandth of a pixel in small images, and faster."""
        return PixelTransfer(self.infinite_33.astype(np.float32), self.epipole_3.astype(np.float32))

    def plane_homography(self, inverse_depth: float) -> NDArray[np.float64]:
        """(3, 3) transfer of all pixels of a fronto-parallel plane."""
        homography_33 = self.infinite_33.astype(np.float64)
        homography_33[:, 2] += inverse_depth * self.epipole_3
        return homography_33

    def project(
        self, inverse_depth_hw: FloatMap, exact_rays: bool = False
    ) -> tuple[FloatMap, FloatMap, FloatMap]:
        """Homogeneous pixels in the other view of all pixels at their inverse depths.

        Args:
            inverse_depth_hw: 0 at infinity.
            exact_rays: rays are summed in 64 bits, which takes longer.
        """
        rays = self.at_infinity(inverse_depth_hw.shape, np.float64 if exact_rays else np.float32)
        u_hw, v_hw, w_hw = (
            ray_hw + np.float32(epipole) * inverse_depth_hw
            for ray_hw, epipole in zip(rays, self.epipole_3, strict=True)
        )
        return u_hw, v_hw, w_hw

    def project_depth(self, depth_hw: FloatMap) -> tuple[FloatMap, FloatMap, FloatMap]:
        """Pixels in the other view, times their depth there, and that depth."""
        u_hw, v_hw, z_hw = (
            ray_hw * depth_hw + np.float32(epipole)
            for ray_hw, epipole in zip(
                self.at_infinity(depth_hw.shape), self.epipole_3, strict=True
            )
        )
        return u_hw, v_hw, z_hw

    def project_pixels(self, x: T, y: T, depth: T) -> tuple[T, T, T]:
        """The same for given pixels, arrays or tensors that fit each other."""
        u, v, z = (
            (row[0] * x + row[1] * y + row[2]) * depth + epipole
            for row, epipole in zip(self.infinite_33.tolist(), self.epipole_3.tolist(), strict=True)
        )
        return u, v, z

    def at_infinity(
        self, shape: tuple[int, ...], summed_in: type[np.floating[Any]] = np.float32
    ) -> tuple[FloatMap, FloatMap, FloatMap]:
        """Homogeneous pixels in the other view of all pixels (h, w) at inverse depth 0."""
        height, width = shape
        x_1w = np.arange(width, dtype=self.infinite_33.dtype)[None]
        y_h1 = np.arange(height, dtype=self.infinite_33.dtype)[:, None]
        u_hw, v_hw, w_hw = (
            ((row[0] * x_1w).astype(summed_in) + (row[1] * y_h1 + row[2]).astype(summed_in)).astype(
                np.float32, copy=False
            )
            for row in self.infinite_33
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
