"""Frames between key frames are posed by the points of the model."""

import csv
import io
from dataclasses import replace

import cv2
import numpy as np
import pytest

from mvrecon.artifacts.frames import FrameRecord
from mvrecon.artifacts.poses import POSES_ITEM, PosedFrame, load_poses
from mvrecon.formats.trajectory import read_trajectory
from mvrecon.geometry.camera import Camera
from mvrecon.geometry.rigid import rotation_angle_rad
from stages.pose.config import PoseConfig
from stages.pose.mapping.resection import Anchor, Resected, resect_frames
from stages.pose.results import frames_csv, full_trajectory_text
from stages.pose.stage import run
from tests.media import write_video
from tests.stages.pose.scene import CAMERA, Relief, frame_table, pose_context, sideways_path

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


def test_rows_and_trajectory_tell_the_same_in_the_same_order(tmp_path):
    table = frame_table(3, CAMERA, "given")
    between = FrameRecord(1, "", "1.jpg", 0.1, 0, 1.0, "redundant")
    table = replace(table, frames=(table.frames[0], between, *table.frames[2:]))
    posed = [PosedFrame(name, 0.0, CAMERA, CAMERA, np.eye(4)) for name in ("000000", "000002")]
    others = {1: Resected(TRUTH[1]), 3: Resected(None, "too few tracks")}
    rows = list(csv.DictReader(io.StringIO(frames_csv(table, posed, {}, others))))
    assert [row["posed"] for row in rows] == ["1", "1", "1", "0"]
    assert rows[1]["reason"] == "redundant"
    assert rows[3]["reason"] == "blurred; no pose: too few tracks"
    path = tmp_path / "trajectory.txt"
    path.write_text(full_trajectory_text(table, posed, others))
    trajectory = read_trajectory(path)
    np.testing.assert_allclose(trajectory.timestamp_s_n, [0.0, 0.1, 0.2])
    np.testing.assert_allclose(trajectory.world_from_cam_n44[1], TRUTH[1], atol=1e-7)


def test_the_stage_poses_every_frame_of_a_video(tmp_path):
    relief = Relief()
    poses = sideways_path(15, 0.1)
    images = [relief.image(pose) for pose in poses]
    colour = [np.repeat(image[..., None], 3, axis=2) for image in images]
    video = write_video(tmp_path / "clip.mp4", colour, crf=5)
    keys = range(0, 15, 2)
    table = frame_table(15, CAMERA, "given")
    frames = [
        replace(
            frame, source=str(row), **({} if row in keys else {"name": "", "reason": "redundant"})
        )
        for row, frame in enumerate(table.frames[:15])
    ]
    context = pose_context(
        tmp_path,
        images[::2],
        relief.flows(poses[::2]),
        replace(table, frames=tuple(frames)),
        PoseConfig(all_frames=True),
    )
    context.raw_input = video
    numbers = run(context).numbers
    assert (numbers["other_frames"], numbers["posed_other_frames"]) == (7, 7)
    trajectory = read_trajectory(context.out.path("trajectory.txt"))
    np.testing.assert_allclose(trajectory.timestamp_s_n, np.arange(15) * 0.1, atol=1e-6)
    key_frames = load_poses(context.out.path(POSES_ITEM))
    steps = np.linalg.norm(np.diff(trajectory.world_from_cam_n44[:, :3, 3], axis=0), axis=1)
    true_steps = np.linalg.norm(np.diff(np.stack(poses)[:, :3, 3], axis=0), axis=1)
    scale = steps.sum() / true_steps.sum()
    assert len(key_frames) == 8
    np.testing.assert_allclose(steps / scale, true_steps, atol=0.25 * true_steps.mean())
