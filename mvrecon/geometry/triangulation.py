"""Points from their views, and how far matches are from their epipolar lines."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


def triangulate(
    cam_from_world_v44: FloatArray, normalized_nv2: FloatArray, weights_nv: FloatArray | None = None
) -> FloatArray:
    """Linear triangulation of points seen in several views.

    R. Hartley, P. Sturm, "Triangulation", CVIU 1997 (inhomogeneous linear form, solved for
    all points at once). Points near infinity come out far away, not at it.

    Args:
        cam_from_world_v44: poses of v ≥ 2 views.
        normalized_nv2: image-plane coordinates at depth 1 of n points in each view.
        weights_nv: of each observation; 0 where a view does not see a point.

    Returns:
        World coordinates (n, 3).
    """
    rows_nv24 = (
        normalized_nv2[..., None] * cam_from_world_v44[None, :, 2:3, :]
        - cam_from_world_v44[None, :, :2, :]
    )
    if weights_nv is not None:
        rows_nv24 = rows_nv24 * weights_nv[..., None, None]
    rows_nr4 = rows_nv24.reshape(len(rows_nv24), -1, 4)
    normal_n33 = np.einsum("nri,nrj->nij", rows_nr4[..., :3], rows_nr4[..., :3])
    right_n3 = -np.einsum("nri,nr->ni", rows_nr4[..., :3], rows_nr4[..., 3])
    # A little regularisation keeps points without parallax finite.
    damping_n11 = 1e-12 * np.trace(normal_n33, axis1=1, axis2=2)[:, None, None]
    solution_n31 = np.linalg.solve(normal_n33 + damping_n11 * np.eye(3), right_n3[..., None])
    return np.asarray(solution_n31[..., 0])


def triangulation_angle_rad(
    centre_1_3: FloatArray, centre_2_3: FloatArray, points_n3: FloatArray
) -> FloatArray:
    """Angle (n,) at each point between the rays to two camera centres."""
    ray_1, ray_2 = points_n3 - centre_1_3, points_n3 - centre_2_3
    cross = np.linalg.norm(np.cross(ray_1, ray_2), axis=1)
    return np.asarray(np.arctan2(cross, (ray_1 * ray_2).sum(axis=1)))


def essential_matrix(second_from_first: FloatArray) -> FloatArray:
    """E (3, 3) with x₂ᵀ E x₁ = 0, of unit translation; zero if the views share their centre."""
    translation_3 = second_from_first[:3, 3]
    x, y, z = translation_3 / max(float(np.linalg.norm(translation_3)), 1e-300)
    skew_33 = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    return np.asarray(skew_33 @ second_from_first[:3, :3])


def sampson_distance(
    essential_33: FloatArray, first_n2: FloatArray, second_n2: FloatArray
) -> FloatArray:
    """Distance (n,) of matches from the epipolar geometry, to first order.

    P. Sampson, "Fitting conic sections to very scattered data", CGIP 1982.

    Args:
        essential_33: of the two views.
        first_n2: image-plane coordinates at depth 1 in the first view.
        second_n2: those in the second.

    Returns:
        In the units of the coordinates: times the focal length, pixels.
    """
    first_n3 = np.column_stack([first_n2, np.ones(len(first_n2))])
    second_n3 = np.column_stack([second_n2, np.ones(len(second_n2))])
    line_2_n3, line_1_n3 = first_n3 @ essential_33.T, second_n3 @ essential_33
    gradient_n = np.sqrt((line_2_n3[:, :2] ** 2).sum(1) + (line_1_n3[:, :2] ** 2).sum(1))
    error_n = np.abs((second_n3 * line_2_n3).sum(1))
    return np.asarray(error_n / np.maximum(gradient_n, 1e-300))
