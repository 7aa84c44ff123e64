"""Which views see a place, and how well."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from mvrecon.geometry.camera import Camera
from mvrecon.render import MeshRenderer

Array = NDArray[np.float32]

OCCLUSION_SIDE_PX = 640  # of the map that tells what hides a place: fine enough for a mesh
# What hides a place is nearer by this many pixels of that map; more where the surface is slanted.
SLACK_PX = 3.0
MIN_SLANT = 0.2  # cosine below which the slack grows no more
MIN_FACING = 0.05  # cosine below which a view says nothing
BORDER_SHARE = 0.04  # of the image's width: nearer to its border a view fades out


@dataclass(frozen=True)
class ViewGeometry:
    """One view, for the question what it sees.

    Attributes:
        camera: pinhole camera of the stored image.
        world_from_cam: (4, 4).
        nearest_hw: depth of what is in front, of a smaller image; −∞ on what moves.
    """

    camera: Camera
    world_from_cam: NDArray[np.float64]
    nearest_hw: Array

    @classmethod
    def look(
        cls,
        camera: Camera,
        world_from_cam: NDArray[np.float64],
        surface: MeshRenderer,
        moving_hw: NDArray[np.bool_] | None,
    ) -> ViewGeometry:
        """Look at a surface.

        Args:
            camera: pinhole camera of the stored image.
            world_from_cam: (4, 4).
            surface: what may hide a place.
            moving_hw: where something hides the surface that is not part of it; of any size.
        """
        scale = min(1.0, OCCLUSION_SIDE_PX / max(camera.width, camera.height))
        small = camera.scaled(round(camera.width * scale), round(camera.height * scale))
        nearest_hw = surface.depth(small, world_from_cam)
        nearest_hw[nearest_hw == 0] = np.inf
        # The smallest depth around a pixel: colours beside an occluder's edge are mixed.
        nearest_hw = cv2.erode(nearest_hw, np.ones((3, 3))).astype(np.float32)
        if moving_hw is not None:
            size = small.width, small.height
            nearest_hw[cv2.resize(moving_hw.astype(np.uint8), size) > 0] = -np.inf
        return cls(camera, world_from_cam, nearest_hw)

    def project(self, points_n3: Array) -> tuple[Array, Array, Array]:
        """Pixel x, y and depth (n,) of world points; the pixel is meaningless behind."""
        rotation_33 = self.world_from_cam[:3, :3].astype(np.float32)
        cam_n3 = (points_n3 - self.world_from_cam[:3, 3].astype(np.float32)) @ rotation_33
        z_n = np.maximum(cam_n3[:, 2], np.float32(1e-9))
        u_n = np.float32(self.camera.fx) * cam_n3[:, 0] / z_n + np.float32(self.camera.cx)
        v_n = np.float32(self.camera.fy) * cam_n3[:, 1] / z_n + np.float32(self.camera.cy)
        return u_n, v_n, cam_n3[:, 2]

    def inside(self, u_n: Array, v_n: Array, z_n: Array) -> NDArray[np.bool_]:
        """Which of these are in the image and before the camera."""
        camera = self.camera
        return np.asarray(
            (z_n > 0)
            & (u_n >= 0)
            & (v_n >= 0)
            & (u_n <= camera.width - 1)
            & (v_n <= camera.height - 1)
        )

    def unhidden(self, u_n: Array, v_n: Array, z_n: Array, facing_n: Array) -> NDArray[np.bool_]:
        """Which of these, all in the image, nothing hides.

        The slack grows as `facing_n`, the cosine between normal and ray, falls.
        """
        slack = np.float32(SLACK_PX / (self.camera.fx * self._scale))
        slack_n = slack * z_n / np.clip(facing_n, MIN_SLANT, 1.0)
        return np.asarray(z_n < self.nearest_hw[self._small_pixel(u_n, v_n)] + slack_n)

    @property
    def _scale(self) -> float:
        return float(self.nearest_hw.shape[1]) / self.camera.width

    def _small_pixel(self, u_n: Array, v_n: Array) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Row and column (n,) of the smaller image."""
        height, width = self.nearest_hw.shape
        scale = np.float32(self._scale)
        column_n = np.clip((u_n + 0.5) * scale, 0, width - 1).astype(np.int32)
        row_n = np.clip((v_n + 0.5) * scale, 0, height - 1).astype(np.int32)
        return row_n, column_n

    def quality(self, points_n3: Array, normals_n3: Array) -> tuple[Array, Array, Array]:
        """How many pixels the view has for a unit of area at each point, 0 where it sees none.

        Returns:
            That, fading towards the image's border; and the pixel x, y.
        """
        u_n, v_n, z_n = self.project(points_n3)
        to_point_n3 = points_n3 - self.world_from_cam[:3, 3].astype(np.float32)
        distance_n = np.linalg.norm(to_point_n3, axis=1)
        facing_n = -np.einsum("nx,nx->n", to_point_n3, normals_n3) / np.maximum(distance_n, 1e-12)
        sees_n = self.inside(u_n, v_n, z_n) & (facing_n > MIN_FACING)
        quality_n = np.zeros(len(points_n3), np.float32)
        seen = np.nonzero(sees_n)[0]
        seen = seen[self.unhidden(u_n[seen], v_n[seen], z_n[seen], facing_n[seen])]
        camera = self.camera
        to_border_n = np.minimum.reduce(
            [u_n[seen], v_n[seen], camera.width - 1 - u_n[seen], camera.height - 1 - v_n[seen]]
        )
        fade_n = np.clip(to_border_n / (BORDER_SHARE * camera.width), 0.01, 1.0)
        quality_n[seen] = fade_n * facing_n[seen] * (camera.fx / z_n[seen]) ** 2
        return quality_n, u_n, v_n


@dataclass(frozen=True)
class BestViews:
    """The views that see each vertex best, and one more, in no order.

    Attributes:
        view_nk: number of the view.
        quality_nk: pixels for a unit of area, 0 = no view.
        rgb_nk3: colour there.
    """

    view_nk: NDArray[np.int32]
    quality_nk: Array
    rgb_nk3: NDArray[np.uint8]

    @classmethod
    def start(cls, count: int, views: int) -> BestViews:
        """None yet, for `count` vertices."""
        return cls(
            np.zeros((count, views + 1), np.int32),
            np.zeros((count, views + 1), np.float32),
            np.zeros((count, views + 1, 3), np.uint8),
        )

    def add(self, view: int, quality_n: Array, rgb_n3: NDArray[np.uint8]) -> None:
        """Offer one view."""
        worst_n = np.argmin(self.quality_nk, axis=1)
        rows = np.nonzero(quality_n > self.quality_nk[np.arange(len(worst_n)), worst_n])[0]
        at = rows, worst_n[rows]
        self.view_nk[at] = view
        self.quality_nk[at] = quality_n[rows]
        self.rgb_nk3[at] = rgb_n3[rows]

    def weights(self, sharpness: float) -> Array:
        """Weight (n, k) of each view at each vertex, of sum one (or none).

        A view's weight is nought where the next one takes its place, so that colours change
        without a seam (Buehler et al., "Unstructured lumigraph rendering", SIGGRAPH 2001).
        """
        least_n1 = self.quality_nk.min(axis=1, keepdims=True)
        best_n1 = np.maximum(self.quality_nk.max(axis=1, keepdims=True), np.float32(1e-30))
        weight_nk = ((self.quality_nk - least_n1) / best_n1) ** np.float32(sharpness)
        # Views that are all equal share alike.
        weight_nk = np.where(weight_nk.max(axis=1, keepdims=True) > 0, weight_nk, self.quality_nk)
        total_n1 = weight_nk.sum(axis=1, keepdims=True)
        return np.asarray(weight_nk / np.maximum(total_n1, 1e-30), np.float32)

    def pixels_per_unit(self) -> NDArray[np.float64]:
        """What the best view resolves (n,): pixels along a unit of length, 0 where none sees it."""
        return np.asarray(np.sqrt(self.quality_nk.max(axis=1).astype(np.float64)))
