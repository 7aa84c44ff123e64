"""A moving camera whose rows are read one after the other and whose focal length may change.

Rows of a rolling shutter are seen at times of their own. Where a point was at the middle of
the read-out is told by how fast it moves in the image, which the next video frame shows:
no motion of the camera between its key frames has to be assumed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

# The robust cost must fall by this part of it for a second term of radial distortion: rendered
# images gained a thousandth, a Kinect's a hundredth, a phone's a twelfth.
SECOND_TERM_GAIN = 0.004
IntArray = NDArray[np.int64]

POSE = 6


@dataclass(frozen=True)
class Observations:
    """What is seen of points, sorted by point.

    Attributes:
        frame_m, point_m: rows of the frames and of the points.
        xy_m2: pixels.
        row_motion_m2: how far the point moves in the image while the rows from the middle one
            to its own are read, as a share of the whole read-out [px per s of read-out].
    """

    frame_m: IntArray
    point_m: IntArray
    xy_m2: FloatArray
    row_motion_m2: FloatArray


@dataclass(frozen=True)
class Cameras:
    """Poses, points and what the cameras have in common.

    Attributes:
        rotation_n33, translation_n3: cam_from_world at the middle of each read-out.
        xyz_p3: points.
        log_focal_n: logarithm of each frame's focal length in pixels.
        centre_2: principal point.
        radial_2: distortion k1 and k2 as in OpenCV.
        readout_s: time from the first row to the last, of either sign.
    """

    rotation_n33: FloatArray
    translation_n3: FloatArray
    xyz_p3: FloatArray
    log_focal_n: FloatArray
    centre_2: FloatArray
    radial_2: FloatArray
    readout_s: float = 0.0

    def moved(self, step: Step) -> Cameras:
        """The cameras after a step of the adjustment."""
        turn_n33 = rotations(step.pose_n6[:, :3])
        return replace(
            self,
            rotation_n33=turn_n33 @ self.rotation_n33,
            translation_n3=np.einsum("nij,nj->ni", turn_n33, self.translation_n3)
            + step.pose_n6[:, 3:],
            xyz_p3=self.xyz_p3 + step.xyz_p3,
            log_focal_n=self.log_focal_n + step.log_focal_n,
            radial_2=self.radial_2 + step.radial_2,
            readout_s=self.readout_s + step.readout_s,
        )


class Step(NamedTuple):
    """Changes of `Cameras`: turns and shifts in each camera's axes, and the rest."""

    pose_n6: FloatArray
    xyz_p3: FloatArray
    log_focal_n: FloatArray
    radial_2: FloatArray
    readout_s: float


class Linearized(NamedTuple):
    """Residuals (m, 2) in pixels and their derivatives, the last axis by parameter.

    Attributes:
        by_pose_m26: turn and shift of the camera.
        by_focal_m2: logarithm of the focal length.
        by_radial_m22: k1 and k2.
        by_readout_m2: read-out time.
        by_point_m23: the point.
    """

    residual_m2: FloatArray
    by_pose_m26: FloatArray
    by_focal_m2: FloatArray
    by_radial_m22: FloatArray
    by_readout_m2: FloatArray
    by_point_m23: FloatArray


def residuals(cameras: Cameras, seen: Observations) -> FloatArray:
    """Predicted less observed pixels (m, 2)."""
    cam_m3 = _in_camera(cameras, seen)
    _, _, pixel_m2 = _project(cameras, seen, cam_m3)
    return pixel_m2 - _at_mid_time(cameras, seen)


def linearize(cameras: Cameras, seen: Observations) -> Linearized:
    """Residuals and derivatives."""
    cam_m3 = _in_camera(cameras, seen)
    plane_m2, bend_m, pixel_m2 = _project(cameras, seen, cam_m3)
    radius2_m = np.sum(plane_m2**2, axis=1)
    focal_m = np.exp(cameras.log_focal_n)[seen.frame_m]
    k1, k2 = cameras.radial_2
    growth_m = 2.0 * (k1 + 2.0 * k2 * radius2_m)
    outer_m22 = plane_m2[:, :, None] * plane_m2[:, None, :]
    by_plane_m22 = focal_m[:, None, None] * (
        bend_m[:, None, None] * np.eye(2) + growth_m[:, None, None] * outer_m22
    )
    plane_by_cam_m23 = np.zeros((len(cam_m3), 2, 3))
    plane_by_cam_m23[:, 0, 0] = plane_by_cam_m23[:, 1, 1] = 1.0
    plane_by_cam_m23[:, :, 2] = -plane_m2
    plane_by_cam_m23 /= cam_m3[:, 2, None, None]
    by_cam_m23 = by_plane_m22 @ plane_by_cam_m23
    bent_m2 = (focal_m * radius2_m)[:, None] * plane_m2
    return Linearized(
        residual_m2=pixel_m2 - _at_mid_time(cameras, seen),
        by_pose_m26=np.concatenate([-by_cam_m23 @ _cross(cam_m3), by_cam_m23], axis=2),
        by_focal_m2=pixel_m2 - cameras.centre_2,
        by_radial_m22=np.stack([bent_m2, radius2_m[:, None] * bent_m2], axis=2),
        by_readout_m2=seen.row_motion_m2,
        by_point_m23=by_cam_m23 @ cameras.rotation_n33[seen.frame_m],
    )


def rotations(turn_n3: FloatArray) -> FloatArray:
    """Rotation matrices (n, 3, 3) of rotation vectors (Rodrigues)."""
    angle_n = np.linalg.norm(turn_n3, axis=1)[:, None, None]
    safe_n = np.where(angle_n < 1e-8, 1.0, angle_n)
    cross_n33 = _cross(turn_n3)
    first_n = np.where(angle_n < 1e-8, 1.0, np.sin(safe_n) / safe_n)
    second_n = np.where(angle_n < 1e-8, 0.5, (1.0 - np.cos(safe_n)) / safe_n**2)
    return np.asarray(np.eye(3) + first_n * cross_n33 + second_n * (cross_n33 @ cross_n33))


def _at_mid_time(cameras: Cameras, seen: Observations) -> FloatArray:
    return seen.xy_m2 - cameras.readout_s * seen.row_motion_m2


def _in_camera(cameras: Cameras, seen: Observations) -> FloatArray:
    xyz_m3 = cameras.xyz_p3[seen.point_m]
    turned_m3 = np.einsum("mij,mj->mi", cameras.rotation_n33[seen.frame_m], xyz_m3)
    return np.asarray(turned_m3 + cameras.translation_n3[seen.frame_m])


def _project(
    cameras: Cameras, seen: Observations, cam_m3: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Image-plane coordinates at depth 1, the factor of distortion, and pixels."""
    plane_m2 = cam_m3[:, :2] / cam_m3[:, 2:]
    radius2_m = np.sum(plane_m2**2, axis=1)
    k1, k2 = cameras.radial_2
    bend_m = 1.0 + radius2_m * (k1 + k2 * radius2_m)
    focal_m = np.exp(cameras.log_focal_n)[seen.frame_m]
    return plane_m2, bend_m, (focal_m * bend_m)[:, None] * plane_m2 + cameras.centre_2


def _cross(vector_n3: FloatArray) -> FloatArray:
    """The matrices (n, 3, 3) of the cross product with vectors."""
    x_n, y_n, z_n = vector_n3.T
    none_n = np.zeros_like(x_n)
    rows = [[none_n, -z_n, y_n], [z_n, none_n, -x_n], [-y_n, x_n, none_n]]
    return np.stack([np.stack(row, axis=1) for row in rows], axis=1)
