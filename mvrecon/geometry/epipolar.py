"""Epipolar geometry of two views with known poses."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


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
