"""Optical flow of a world that stands still, from depth and poses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mvrecon.geometry.camera import Camera
from mvrecon.geometry.raycasting import TriangleScene, pixel_rays

NEAREST = 1e-6
# A point is hidden by what lies before this share of its distance.
REACH = 0.998


@dataclass(frozen=True)
class RigidFlow:
    """Where the points of a first image come to lie in a second one.

    Attributes:
        flow_hw2: pixels, x then y; 0 where the first has no depth or the point is not before
            the second camera.
        inside_hw: whether the point lies in the second picture, hidden or not.
        points_hw3: in the world.
        depth_hw: of the points, along the second camera's axis.
    """

    flow_hw2: NDArray[np.float32]
    inside_hw: NDArray[np.bool_]
    points_hw3: NDArray[np.float64]
    depth_hw: NDArray[np.float64]

    def hidden_hw(
        self, triangles: TriangleScene, world_from_cam: NDArray[np.float64]
    ) -> NDArray[np.bool_]:
        """Whether a triangle lies between each point and the second camera."""
        points_n3 = self.points_hw3.reshape(-1, 3).astype(np.float32)
        centre_n3 = np.broadcast_to(world_from_cam[:3, 3], points_n3.shape).astype(np.float32)
        hidden_n = triangles.blocked(centre_n3, points_n3 - centre_n3, REACH)
        return hidden_n.reshape(self.inside_hw.shape)


def rigid_flow(
    depth_hw: NDArray[np.floating[Any]],
    first: tuple[Camera, NDArray[np.float64]],
    second: tuple[Camera, NDArray[np.float64]],
) -> RigidFlow:
    """Flow from one view to another.

    Args:
        depth_hw: of the first view, along its axis, 0 = none.
        first: camera and world_from_cam of the first view.
        second: those of the second.
    """
    camera, world_from_cam = second
    height, width = depth_hw.shape
    origins_n3, directions_n3 = pixel_rays(*first)
    points_n3 = origins_n3 + depth_hw.reshape(-1, 1).astype(np.float64) * directions_n3
    cam_n3 = (points_n3 - world_from_cam[:3, 3]) @ world_from_cam[:3, :3]
    front_n = (depth_hw.ravel() > 0) & (cam_n3[:, 2] > NEAREST)
    target_n2 = camera.project(np.where(front_n[:, None], cam_n3, [0.0, 0.0, 1.0]))
    pixels_n2 = np.stack(np.meshgrid(np.arange(width), np.arange(height)), -1).reshape(-1, 2)
    flow_n2 = np.where(front_n[:, None], target_n2 - pixels_n2, 0)
    limit = np.array([camera.width, camera.height]) - 0.5
    inside_n = front_n & ((target_n2 > -0.5) & (target_n2 < limit)).all(1)
    return RigidFlow(
        flow_n2.reshape(height, width, 2).astype(np.float32),
        inside_n.reshape(height, width),
        points_n3.reshape(height, width, 3),
        cam_n3[:, 2].reshape(height, width),
    )
