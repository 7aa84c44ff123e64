"""Frames between key frames are posed by the points of the model."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from mvrecon.geometry.camera import Camera
from mvrecon.geometry.rigid import rotation_angle_rad
from stages.pose.mapping.resection import Anchor, resect_frames
from tests.stages.pose.scene import CAMERA, Relief, sideways_path

TRUTH = sideways_path(9, 0.06)
KEYS = (0, 4, 8)
OTHERS = [1, 2, 3, 5, 6, 7]
DISTORTED = Camera(240, 180, 200.0, 200.0, 119.5, 89.5, (-0.08, 0.01, 0.0, 0.0))


def write_frames(folder, relief, replaced=()):
    folder.mkdir()
    for row, pose in enumerate(TRUTH):
        image = dict(replaced).get(row, relief.image(pose))
        cv2.imwrite(str(folder / f"{row:03d}.png"), image)
    return folder


def anchors_of(folder, relief):
    rng = np.random.default_rng(0)
    anchors = []
    for row in KEYS:
        xy = rng.uniform([10, 10], [230, 170], (150, 2))
        points = relief.points(TRUTH[row], xy)
        image = folder / f"{row:03d}.png"
        anchors.append(Anchor(row, image, relief.camera, TRUTH[row], xy, points))
    return anchors


def errors(found):
    """Distances of the centres, and angles."""
    poses = {row: found[row].world_from_cam for row in found}
    away = [np.linalg.norm(poses[row][:3, 3] - TRUTH[row][:3, 3]) for row in found]
    angle = [rotation_angle_rad(poses[row][:3, :3].T @ TRUTH[row][:3, :3]) for row in found]
    return max(away), max(angle)


@pytest.mark.parametrize("camera", [CAMERA, DISTORTED])
def test_frames_between_key_frames_get_their_pose(tmp_path, camera):
    relief = Relief(camera)
    folder = write_frames(tmp_path / "frames", relief)
    found = resect_frames(folder, OTHERS, anchors_of(folder, relief), 1.0)
    assert sorted(found) == OTHERS
    away, angle = errors(found)
    # Of a step of 0.06 between frames, at a distance of 5.
    assert away < 0.01
    assert angle < 2e-3


def test_wrong_points_do_not_move_a_pose(tmp_path):
    relief = Relief()
    folder = write_frames(tmp_path / "frames", relief)
    anchors = anchors_of(folder, relief)
    rng = np.random.default_rng(1)
    spoiled = []
    for anchor in anchors:
        points = anchor.xyz_k3.copy()
        points[::4] += rng.normal(0, 0.5, points[::4].shape)
        spoiled.append(replace(anchor, xyz_k3=points))
    away, _ = errors(resect_frames(folder, OTHERS, spoiled, 1.0))
    assert away < 0.012


def test_frames_after_the_last_key_frame_are_posed_too(tmp_path):
    relief = Relief()
    folder = write_frames(tmp_path / "frames", relief)
    found = resect_frames(folder, [5, 6], anchors_of(folder, relief)[:2], 1.0)
    assert errors(found)[0] < 0.01


def test_frames_that_show_something_else_say_why(tmp_path):
    foreign = Relief(seed=9).image(TRUTH[2])
    black = np.zeros_like(foreign)
    small = foreign[:90, :120]
    relief = Relief()
    folder = write_frames(tmp_path / "frames", relief, {1: black, 2: foreign, 3: small})
    found = resect_frames(folder, OTHERS, anchors_of(folder, relief), 1.0)
    assert "too few tracks" in found[1].reason
    assert found[2].world_from_cam is None
    assert found[2].reason
    assert "another size" in found[3].reason
    assert all(not found[row].reason for row in (5, 6, 7))
