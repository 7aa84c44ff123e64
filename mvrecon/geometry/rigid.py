"""Rigid transforms as 4×4 matrices and rotations as quaternions (w, x, y, z)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


def rotation_from_quaternion(wxyz_4: FloatArray) -> FloatArray:
    """Rotation matrix (3, 3) of a quaternion of any length above zero."""
    w, x, y, z = wxyz_4 / np.linalg.norm(wxyz_4)
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )


def quaternion_from_rotation(rotation_33: FloatArray) -> FloatArray:
    """Unit quaternion (w, x, y, z), w ≥ 0, of a rotation matrix.

    The eigenvector form, stable for every angle: I. Bar-Itzhack, "New method for
    extracting the quaternion from a rotation matrix", JGCD 2000.
    """
    m = rotation_33
    k_44 = np.array(
        [
            [m[0, 0] + m[1, 1] + m[2, 2], m[2, 1] - m[1, 2], m[0, 2] - m[2, 0], m[1, 0] - m[0, 1]],
            [0.0, m[0, 0] - m[1, 1] - m[2, 2], m[0, 1] + m[1, 0], m[0, 2] + m[2, 0]],
            [0.0, 0.0, m[1, 1] - m[0, 0] - m[2, 2], m[1, 2] + m[2, 1]],
            [0.0, 0.0, 0.0, m[2, 2] - m[0, 0] - m[1, 1]],
        ]
    )
    _, vectors_44 = np.linalg.eigh(k_44, UPLO="U")
    wxyz_4 = vectors_44[:, -1]
    return wxyz_4 if wxyz_4[0] >= 0 else -wxyz_4


def rigid(rotation_33: FloatArray, translation_3: FloatArray) -> FloatArray:
    """The (4, 4) transform x → rotation · x + translation."""
    transform_44 = np.eye(4)
    transform_44[:3, :3] = rotation_33
    transform_44[:3, 3] = translation_3
    return transform_44


def inverse_rigid(transform_44: FloatArray) -> FloatArray:
    """Inverse of a rigid transform, or of a stack (…, 4, 4) of them."""
    rotation_t = np.swapaxes(transform_44[..., :3, :3], -1, -2)
    inverse_44 = np.zeros_like(transform_44)
    inverse_44[..., :3, :3] = rotation_t
    inverse_44[..., :3, 3] = -np.einsum("...ij,...j->...i", rotation_t, transform_44[..., :3, 3])
    inverse_44[..., 3, 3] = 1.0
    return inverse_44


def transform_points(transform_44: FloatArray, points_n3: FloatArray) -> FloatArray:
    """Points (n, 3) after a rigid transform."""
    return points_n3 @ transform_44[:3, :3].T + transform_44[:3, 3]


def rotation_angle_rad(rotation_33: FloatArray) -> FloatArray:
    """Angle of a rotation (3, 3) or of each of a stack (…, 3, 3), in 0…π; exact near 0 too."""
    difference_3 = rotation_33[..., [2, 0, 1], [1, 2, 0]] - rotation_33[..., [1, 2, 0], [2, 0, 1]]
    twice_cosine = np.trace(rotation_33, axis1=-2, axis2=-1) - 1.0
    return np.asarray(np.arctan2(np.linalg.norm(difference_3, axis=-1), twice_cosine))


def interpolate_rigid(first_44: FloatArray, second_44: FloatArray, share: float) -> FloatArray:
    """The transform between two near ones: `share` 0 is the first, 1 the second.

    The rotation by the normalised mean of quaternions: for the small angles between
    neighbours equal to the great arc to third order.
    """
    quaternions = [quaternion_from_rotation(t_44[:3, :3]) for t_44 in (first_44, second_44)]
    sign = 1.0 if quaternions[0] @ quaternions[1] >= 0 else -1.0
    mean_4 = (1.0 - share) * quaternions[0] + share * sign * quaternions[1]
    translation_3 = (1.0 - share) * first_44[:3, 3] + share * second_44[:3, 3]
    return rigid(rotation_from_quaternion(mean_4), translation_3)
