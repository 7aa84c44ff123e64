"""Rigid and similarity transforms are groups; projection and unprojection undo each other."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from numpy.typing import NDArray

from mvrecon.geometry.camera import Camera
from mvrecon.geometry.rigid import (
    interpolate_rigid,
    inverse_rigid,
    quaternion_from_rotation,
    rotation_angle_rad,
    rotation_from_quaternion,
    transform_points,
)
from mvrecon.geometry.similarity import Similarity, align_similarity
from tests.properties.strategies import (
    cameras,
    numbers,
    points,
    rigids,
    rotations,
    similarities,
)

Array = NDArray[np.float64]


@given(rotations())
def test_a_rotation_keeps_lengths_and_its_quaternion_gives_it_back(rotation_33: Array) -> None:
    np.testing.assert_allclose(rotation_33 @ rotation_33.T, np.eye(3), atol=1e-12)
    assert np.isclose(np.linalg.det(rotation_33), 1.0)
    wxyz_4 = quaternion_from_rotation(rotation_33)
    assert wxyz_4[0] >= 0
    np.testing.assert_allclose(rotation_from_quaternion(wxyz_4), rotation_33, atol=1e-9)


@given(rigids(), rigids(), points())
def test_rigid_transforms_are_a_group(a_44: Array, b_44: Array, points_n3: Array) -> None:
    np.testing.assert_allclose(a_44 @ inverse_rigid(a_44), np.eye(4), atol=1e-9)
    both = transform_points(a_44 @ b_44, points_n3)
    np.testing.assert_allclose(
        both, transform_points(a_44, transform_points(b_44, points_n3)), atol=1e-8
    )
    np.testing.assert_allclose(
        inverse_rigid(a_44 @ b_44), inverse_rigid(b_44) @ inverse_rigid(a_44), atol=1e-8
    )


@given(rigids(), rigids())
def test_interpolation_begins_and_ends_at_its_ends(a_44: Array, b_44: Array) -> None:
    np.testing.assert_allclose(interpolate_rigid(a_44, b_44, 0.0), a_44, atol=1e-8)
    np.testing.assert_allclose(interpolate_rigid(a_44, b_44, 1.0), b_44, atol=1e-8)


@given(rotations(), rotations())
def test_the_angle_between_rotations_is_symmetric_and_at_most_pi(a: Array, b: Array) -> None:
    angle = float(rotation_angle_rad(a.T @ b))
    assert 0 <= angle <= np.pi
    assert np.isclose(angle, float(rotation_angle_rad(b.T @ a)), atol=1e-9)


@given(similarities(), similarities(), points())
def test_similarities_are_a_group(a: Similarity, b: Similarity, points_n3: Array) -> None:
    scale = max(a.scale, 1.0) * max(b.scale, 1.0) * 1e3
    np.testing.assert_allclose(
        a.compose(b).apply(points_n3), a.apply(b.apply(points_n3)), atol=1e-9 * scale
    )
    back = a.inverse().apply(a.apply(points_n3))
    np.testing.assert_allclose(back, points_n3, atol=1e-9 * (1e3 / min(a.scale, 1.0)))


@given(similarities(), rigids())
def test_a_moved_pose_sees_moved_points_where_it_saw_them(a: Similarity, pose_44: Array) -> None:
    seen_n3 = np.array([[0.1, -0.2, 1.0], [0.5, 0.3, 4.0]])
    world_n3 = transform_points(pose_44, seen_n3)
    moved_n3 = transform_points(inverse_rigid(a.apply_to_pose(pose_44)), a.apply(world_n3))
    tolerance = 1e-8 * max(a.scale, 1.0) * 1e3
    np.testing.assert_allclose(moved_n3, a.scale * seen_n3, atol=tolerance)


@given(similarities(), points(8))
def test_alignment_finds_the_similarity_of_points_in_general_position(
    a: Similarity, points_n3: Array
) -> None:
    spread_n3 = points_n3 + np.random.default_rng(1).normal(size=points_n3.shape) * 100
    found = align_similarity(spread_n3, a.apply(spread_n3))
    assert np.isclose(found.scale, a.scale, rtol=1e-6)
    np.testing.assert_allclose(found.rotation_33, a.rotation_33, atol=1e-6)


@given(cameras(), numbers(0.05, 0.95), numbers(0.05, 0.95), numbers(0.1, 100.0))
def test_projection_undoes_unprojection(camera: Camera, u: float, v: float, depth: float) -> None:
    pixel_12 = np.array([[u * camera.width, v * camera.height]])
    point_13 = camera.rays(pixel_12) * depth
    assert np.isclose(point_13[0, 2], depth)
    np.testing.assert_allclose(camera.project(point_13), pixel_12, atol=1e-3)


@given(cameras(), numbers(0.3, 3.0))
def test_a_resized_image_shows_things_where_its_pixels_went(camera: Camera, scale: float) -> None:
    other = camera.scaled(round(camera.width * scale) or 1, round(camera.height * scale) or 1)
    point_13 = np.array([[0.05, -0.04, 1.0]])
    # The image's corners, half a pixel outside its outermost centres, stay its corners.
    share = (camera.project(point_13) + 0.5) / [camera.width, camera.height]
    np.testing.assert_allclose(
        (other.project(point_13) + 0.5) / [other.width, other.height], share, atol=1e-9
    )


@given(cameras())
def test_a_camera_is_read_as_it_was_written(camera: Camera) -> None:
    assert Camera.from_json(camera.to_json()) == camera
