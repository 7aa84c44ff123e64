"""Points are found again where a model expects them, and only what is there."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mvrecon.formats.colmap.model import ColmapImage, ColmapModel
from mvrecon.geometry.rigid import inverse_rigid
from stages.pose.adjustment import refinding
from stages.pose.adjustment.refinding import MAX_SHIFT_PX, find_again
from tests.stages.pose.scene import CAMERA, Relief, sideways_path

FRAMES = 6
SEEN_IN = 2
STEP_PX = 12
RELIEF = Relief()
POSES = sideways_path(FRAMES, step=0.06)
IMAGES = {f"{row}.jpg": RELIEF.image(pose) for row, pose in enumerate(POSES)}


@pytest.fixture(scope="module")
def model() -> ColmapModel:
    """Points of the first frame, seen in the first two only."""
    grid = np.mgrid[30 : CAMERA.width - 30 : STEP_PX, 30 : CAMERA.height - 30 : STEP_PX]
    xyz_n3 = RELIEF.points(POSES[0], grid.reshape(2, -1).T.astype(np.float64))
    rows = np.arange(len(xyz_n3))
    images = [
        ColmapImage(
            row + 1,
            1,
            f"{row}.jpg",
            inverse_rigid(pose),
            RELIEF.project(pose, xyz_n3) if row < SEEN_IN else np.zeros((0, 2)),
            rows if row < SEEN_IN else np.zeros(0, np.int64),
        )
        for row, pose in enumerate(POSES)
    ]
    rgb_n3 = np.zeros((len(rows), 3), np.uint8)
    return ColmapModel({1: CAMERA}, tuple(images), xyz_n3, rgb_n3, np.zeros(len(rows)))


def test_points_are_found_where_they_are_in_the_other_images(model: ColmapModel) -> None:
    found = find_again(model, IMAGES.__getitem__)
    for pose, image in zip(POSES[SEEN_IN:], found.images[SEEN_IN:], strict=True):
        true_k2 = RELIEF.project(pose, found.xyz_n3[image.point_k])
        assert len(image.point_k) > 0.6 * len(model.xyz_n3)
        assert np.median(np.linalg.norm(image.xy_k2 - true_k2, axis=1)) < 0.05


def test_they_are_found_though_the_model_is_a_little_off(model: ColmapModel) -> None:
    bent = inverse_rigid(POSES[3])
    bent[0, 3] += 0.03  # a pixel and a bit
    images = [replace(i, cam_from_world=bent) if i.name == "3.jpg" else i for i in model.images]
    image = find_again(replace(model, images=tuple(images)), IMAGES.__getitem__).images[3]
    true_k2 = RELIEF.project(POSES[3], model.xyz_n3[image.point_k])
    assert len(image.point_k) > 0.6 * len(model.xyz_n3)
    assert np.median(np.linalg.norm(image.xy_k2 - true_k2, axis=1)) < 0.05


def test_what_is_seen_stays_as_it_is(model: ColmapModel) -> None:
    found = find_again(model, IMAGES.__getitem__)
    for before, after in zip(model.images[:SEEN_IN], found.images[:SEEN_IN], strict=True):
        np.testing.assert_array_equal(before.xy_k2, after.xy_k2)
        np.testing.assert_array_equal(before.point_k, after.point_k)


def test_another_surface_is_not_taken_for_the_points(model: ColmapModel) -> None:
    other = Relief(seed=7).image(POSES[4])
    image = find_again(model, lambda name: other if name == "4.jpg" else IMAGES[name]).images[4]
    assert len(image.point_k) < 0.02 * len(model.xyz_n3)


def test_a_look_from_far_aside_is_not_sought(model: ColmapModel) -> None:
    far = inverse_rigid(POSES[5])
    far[0, 3] += 5.0  # as far aside as the surface is off
    images = [replace(i, cam_from_world=far) if i.name == "5.jpg" else i for i in model.images]
    assert not len(
        find_again(replace(model, images=tuple(images)), IMAGES.__getitem__).images[5].point_k
    )


def test_no_place_is_farther_from_the_expected_one_than_allowed(model: ColmapModel) -> None:
    found = find_again(model, IMAGES.__getitem__)
    for image in found.images[SEEN_IN:]:
        expected_k2 = RELIEF.project(
            inverse_rigid(image.cam_from_world), found.xyz_n3[image.point_k]
        )
        assert np.linalg.norm(image.xy_k2 - expected_k2, axis=1).max() <= MAX_SHIFT_PX


def test_few_of_many_visits_are_enough(model: ColmapModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refinding, "MAX_IMAGES", 2)
    found = find_again(model, IMAGES.__getitem__)
    for image in found.images[SEEN_IN:]:
        assert len(image.point_k) > 0.6 * len(model.xyz_n3)


def test_images_of_another_place_are_not_opened(model: ColmapModel) -> None:
    far = inverse_rigid(POSES[5])
    far[0, 3] += 100.0
    images = [replace(i, cam_from_world=far) if i.name == "5.jpg" else i for i in model.images]
    near = {name: image for name, image in IMAGES.items() if name != "5.jpg"}
    find_again(replace(model, images=tuple(images)), near.__getitem__)


def test_points_are_found_in_the_images_of_another_camera(model: ColmapModel) -> None:
    """It sees a fifth larger, from the same places."""
    larger = CAMERA.zoomed(1.2)
    relief = Relief(camera=larger)
    images = dict(IMAGES) | {"4.jpg": relief.image(POSES[4])}
    two = [replace(i, camera_id=2) if i.name == "4.jpg" else i for i in model.images]
    both = replace(model, cameras={1: CAMERA, 2: larger}, images=tuple(two))
    image = find_again(both, images.__getitem__).images[4]
    true_k2 = relief.project(POSES[4], both.xyz_n3[image.point_k])
    assert len(image.point_k) > 0.4 * len(model.xyz_n3)
    assert np.median(np.linalg.norm(image.xy_k2 - true_k2, axis=1)) < 0.05
