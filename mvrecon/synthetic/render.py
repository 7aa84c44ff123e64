"""Pictures, exact depth and exact flow of a scene through a pinhole camera."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mvrecon.geometry.camera import Camera
from mvrecon.geometry.raycasting import pixel_rays
from mvrecon.geometry.rigid_flow import rigid_flow
from mvrecon.synthetic.scene import BakedScene

FloatArray = NDArray[np.float32]


@dataclass(frozen=True)
class View:
    """A camera and where it is.

    Attributes:
        camera: intrinsics, possibly with distortion.
        world_from_cam: (4, 4), OpenCV axes, metres.
    """

    camera: Camera
    world_from_cam: NDArray[np.float64]

    def rays(self, dx_px: float = 0.0, dy_px: float = 0.0) -> tuple[FloatArray, FloatArray]:
        """As `pixel_rays`."""
        return pixel_rays(self.camera, self.world_from_cam, dx_px, dy_px)

    def to_camera(self, points_n3: NDArray[np.float64]) -> NDArray[np.float64]:
        """World points (n, 3) in camera coordinates."""
        moved_n3 = points_n3 - self.world_from_cam[:3, 3]
        return np.asarray(moved_n3 @ self.world_from_cam[:3, :3])


@dataclass(frozen=True)
class RollingView(View):
    """A view whose rows are read in turn, each from where the camera is at its time.

    Attributes:
        world_from_row_h44: the pose of each row; `world_from_cam` is the middle one's.
    """

    world_from_row_h44: NDArray[np.float64]

    def rays(self, dx_px: float = 0.0, dy_px: float = 0.0) -> tuple[FloatArray, FloatArray]:
        """As `pixel_rays`, row by row."""
        shape = self.camera.height, self.camera.width, 3
        cam_hw3 = pixel_rays(self.camera, np.eye(4), dx_px, dy_px)[1].reshape(shape)
        turned_hw3 = np.einsum("hij,hwj->hwi", self.world_from_row_h44[:, :3, :3], cam_hw3)
        origins_hw3 = np.broadcast_to(self.world_from_row_h44[:, None, :3, 3], shape)
        return origins_hw3.reshape(-1, 3).astype(np.float32), turned_hw3.reshape(-1, 3).astype(
            np.float32
        )


def row_times_s(times_s: NDArray[np.float64], height: int, readout_s: float) -> NDArray[np.float64]:
    """When each row (n, height) of frames is read; the middle one at the frame's time."""
    late_h = (np.arange(height) - 0.5 * (height - 1)) / height
    return np.asarray(times_s[:, None] + readout_s * late_h)


def render_depth(scene: BakedScene, view: View) -> FloatArray:
    """Exact depth (h, w) at the pixel centres in metres, 0 where nothing is."""
    return scene.triangles.depth(view.camera, view.world_from_cam)


def render_radiance(scene: BakedScene, view: View, supersampling: int = 3) -> FloatArray:
    """Linear RGB (h, w, 3), each pixel the mean of `supersampling`² rays."""
    total_n3 = np.zeros((view.camera.height * view.camera.width, 3), np.float32)
    steps_px = (np.arange(supersampling) + 0.5) / supersampling - 0.5
    for dy_px in steps_px:
        for dx_px in steps_px:
            total_n3 += scene.radiance(*view.rays(dx_px, dy_px))
    total_n3 /= supersampling**2
    return total_n3.reshape(view.camera.height, view.camera.width, 3)


def render_flow(
    scene: BakedScene, first: View, second: View
) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Exact flow from one view to another.

    Returns:
        flow_hw2: pixels, x then y; 0 where nothing is or the point is behind the camera.
        visible_hw: whether the point is inside the second picture and not hidden there.
    """
    flow = rigid_flow(
        render_depth(scene, first),
        (first.camera, first.world_from_cam),
        (second.camera, second.world_from_cam),
    )
    visible_hw = flow.inside_hw & ~flow.hidden_hw(scene.triangles, second.world_from_cam)
    return flow.flow_hw2, visible_hw
