from dataclasses import replace

import numpy as np
import pytest

from mvrecon.formats.colmap.model import ColmapImage, ColmapModel
from mvrecon.geometry.rigid import inverse_rigid, rigid, rotation_from_quaternion
from mvrecon.geometry.similarity import Similarity
from stages.pose.world.canonical import move_model, normal_world
from tests.stages.pose.scene import CAMERA, Relief, sideways_path


def relief_model(camera=CAMERA, frames=5):
    """A model of exact points, each seen by all frames, in a world with y down."""
    relief = Relief(camera)
    poses = sideways_path(frames, 0.05)
    xy = np.random.default_rng(0).uniform([60, 50], [180, 130], (80, 2))
    points = relief.points(poses[frames // 2], xy)
    images = tuple(
        ColmapImage(
            row + 1,
            1,
            f"{row:06d}.jpg",
            inverse_rigid(pose),
            relief.project(pose, points),
            np.arange(len(points)),
        )
        for row, pose in enumerate(poses)
    )
    colours = np.zeros((len(points), 3), np.uint8)
    return ColmapModel({1: camera}, images, points, colours, np.zeros(len(points)))


def reprojected(model):
    errors = []
    for image in model.images:
        cam = model.xyz_n3[image.point_k] @ image.cam_from_world[:3, :3].T
        cam += image.cam_from_world[:3, 3]
        errors.append(model.cameras[image.camera_id].project(cam) - image.xy_k2)
    return np.abs(np.concatenate(errors)).max()


def test_moving_a_model_keeps_what_its_images_show():
    model = relief_model()
    assert reprojected(model) < 1e-6
    moved = move_model(model, normal_world(model))
    assert reprojected(moved) < 1e-6


def test_the_normal_world_does_not_depend_on_the_one_before():
    model = relief_model()
    rotation = rotation_from_quaternion(np.array([0.3, -0.5, 0.7, 0.1]))
    elsewhere = move_model(model, Similarity(7.0, rotation, np.array([5.0, -3.0, 20.0])))
    first = move_model(model, normal_world(model))
    second = move_model(elsewhere, normal_world(elsewhere))
    np.testing.assert_allclose(first.xyz_n3, second.xyz_n3, atol=1e-9)
    np.testing.assert_allclose(
        first.images[3].cam_from_world, second.images[3].cam_from_world, atol=1e-9
    )


def test_the_normal_world_is_upright_centred_and_of_unit_depth():
    model = move_model(relief_model(), normal_world(relief_model()))
    poses = inverse_rigid(np.stack([image.cam_from_world for image in model.images]))
    up = -poses[:, :3, 1].mean(axis=0)
    np.testing.assert_allclose(up / np.linalg.norm(up), [0, 0, 1], atol=1e-9)
    assert poses[0, 1, 2] > 0.9
    assert poses[0, 0, 2] == pytest.approx(0.0, abs=1e-9)
    np.testing.assert_allclose(np.median(model.xyz_n3, axis=0), 0.0, atol=1e-9)
    distances = np.linalg.norm(model.xyz_n3[None] - poses[:, None, :3, 3], axis=2)
    assert np.median(distances) == pytest.approx(1.0)


def test_cameras_that_look_down_still_get_a_world():
    model = relief_model()
    down = rigid(rotation_from_quaternion(np.array([1.0, 0, 0, 0])), np.zeros(3))
    opposite = np.diag([-1.0, -1.0, 1.0, 1.0])
    images = tuple(
        replace(image, cam_from_world=(opposite if row % 2 else down) @ np.eye(4))
        for row, image in enumerate(model.images[:4])
    )
    similarity = normal_world(replace(model, images=images))
    np.testing.assert_allclose(
        similarity.rotation_33 @ similarity.rotation_33.T, np.eye(3), atol=1e-12
    )
