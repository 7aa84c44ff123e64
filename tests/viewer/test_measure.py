"""Points that are picked, their distance, and the scale that it gives."""

from __future__ import annotations

import numpy as np
import pytest

from mvrecon.geometry.raycasting import TriangleScene
from mvrecon.viewer.measure import Length, met_point, met_triangle
from stages.pose.world.scale_option import PointDistance, parse_scale
from tests.viewer.runs import FACES, XYZ

EYE = np.array([0.2, 0.1, 0.0])
ENDS = (np.array([-0.5, 0.25, 4.0]), np.array([1.0, 0.25, 2.0]))


def test_a_ray_meets_the_surface_where_it_should():
    triangles = TriangleScene(XYZ, FACES)
    # Not of unit length: it is the direction that counts.
    assert np.allclose(met_triangle(triangles, EYE, np.array([0.0, 0.0, 0.5])), [0.2, 0.1, 4])
    assert np.allclose(met_triangle(triangles, EYE, np.array([0.1, 0.1, 1])), [0.6, 0.5, 4])
    assert met_triangle(triangles, EYE, np.array([1.0, 0.0, 0.0])) is None


def test_a_ray_takes_the_nearest_point_close_to_it():
    points = np.float32([[0, 0, 9], [0.02, 0, 4], [0, 1, 2], [0, 0, -1]])
    ahead, eye = np.array([0.0, 0.0, 1.0]), np.zeros(3)
    assert np.allclose(met_point(points, eye, ahead), points[1])
    assert np.allclose(met_point(points, eye, np.array([0.0, 1.0, 2.0])), points[2])
    assert met_point(points, eye, np.array([1.0, 0.0, 0.0])) is None


def test_two_points_have_a_distance_and_with_a_true_length_a_scale():
    length = Length(ENDS)
    assert length.measured == pytest.approx(2.5)
    assert length.told() == "2.5 units"
    assert length.scale_told(0.5) == "1 unit = 0.2 m"
    option, _, value = length.scale_option(0.5).partition(" ")
    assert option == "--pose.scale"
    assert parse_scale(value) == PointDistance((-0.5, 0.25, 4.0), (1.0, 0.25, 2.0), 0.5)


def test_in_metres_the_scale_is_checked_not_made():
    length = Length(ENDS, in_metres=True)
    assert length.told() == "2.5 m"
    assert length.scale_told(2.0) == "+25.0 % off"
    assert length.scale_option(2.0) == ""


@pytest.mark.parametrize("ends", [(), ENDS[:1], (ENDS[0], ENDS[0])])
def test_without_two_points_apart_there_is_no_scale(ends):
    length = Length(ends)
    assert length.scale_told(1.0) == length.scale_option(1.0) == ""
    assert length.told() in ("click point 1 of 2", "click point 2 of 2", "0 units")


def test_without_a_true_length_there_is_no_scale():
    assert Length(ENDS).scale_told(0.0) == Length(ENDS).scale_option(0.0) == ""
