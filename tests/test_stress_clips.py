"""Clips that are hard or hopeless, from the video to the poses: each ends in the right state."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest

from mvrecon.artifacts.mending import Changes
from mvrecon.artifacts.poses import POSES_ITEM, PosedFrame, load_poses
from mvrecon.config import build_configs
from mvrecon.engine.runner import Runner
from mvrecon.engine.store import Artifact
from mvrecon.errors import NotEnoughDataError
from mvrecon.geometry.rigid import rigid
from mvrecon.geometry.similarity import align_similarity
from stages.mending.config import MendConfig
from stages.mending.mend import run_and_mend
from stages.pipeline import PIPELINE
from tests.media import write_video
from tests.stages.pose.scene import CAMERA, Relief, sideways_path, turn

# Whole stages on many frames: half a minute each.
pytestmark = pytest.mark.slow

PATH = sideways_path(40, 0.06)
RELIEF = Relief()


class Wall(Relief):
    """The same texture on a plane."""

    def height(self, x, y):
        return np.full_like(x, 5.0)


class Elsewhere(Relief):
    """Another scene: other texture, other shape."""

    def height(self, x, y):
        return 4.0 + 0.5 * np.sin(1.3 * x + 1) * np.cos(0.8 * y) + 0.2 * x


class Sparse(Relief):
    """A surface without texture but for some things on it; `rest` is what is between them."""

    smallness = 0.82

    def rest(self, x, y):
        return np.full_like(x, 140.0)

    def texture(self, x, y):
        thing = np.sin(2.1 * x + 0.5) * np.cos(1.7 * y + 0.2) > self.smallness
        return np.where(thing, super().texture(x, y), self.rest(x, y))


class Patterned(Sparse):
    """Between a few small things, a pattern that repeats every twelve pixels."""

    smallness = 0.95

    def rest(self, x, y):
        u, v = 2 * np.pi * x / 0.3, 2 * np.pi * y / 0.3
        pattern = 35 * np.sin(u) * np.cos(v) + 30 * np.sin(2 * u + 1) * np.sin(v + 0.5)
        return 128 + pattern + 25 * np.cos(2 * v + 0.3) * np.cos(u)


def pose_clip(folder: Path, images: Sequence[np.ndarray]) -> tuple[Artifact, list[dict[str, str]]]:
    """Frames, flow and pose of a video at ten frames a second; the rows of frames.csv."""
    colour = [np.repeat(image[..., None], 3, axis=2) for image in images]
    video = write_video(folder / "clip.mp4", colour, crf=8)
    classes = {stage.name: stage.config for stage in PIPELINE}
    configs = build_configs(classes, [])
    pose = Runner(PIPELINE, folder / "run", video, configs, workers=1).run("pose")["pose"]
    return pose, list(csv.DictReader((folder / "run" / "frames.csv").open()))


def error_of_path(frames: Sequence[PosedFrame], truth: Sequence[np.ndarray]) -> float:
    """RMSE of the camera centres as a part of the true path."""
    found = np.stack([frame.world_from_cam[:3, 3] for frame in frames])
    centres = np.stack([truth[int(frame.name)][:3, 3] for frame in frames])
    error = align_similarity(found, centres).apply(found) - centres
    length = np.linalg.norm(np.diff(centres, axis=0), axis=1).sum()
    return float(np.sqrt((error**2).sum(axis=1).mean()) / length)


def test_a_static_camera_is_told(tmp_path):
    with pytest.raises(NotEnoughDataError, match="static camera"):
        pose_clip(tmp_path, [RELIEF.image(np.eye(4))] * 12)


def test_turning_on_the_spot_is_told(tmp_path):
    poses = [rigid(turn(0.015 * i, 0.02 * np.sin(0.3 * i)), np.zeros(3)) for i in range(24)]
    with pytest.raises(NotEnoughDataError, match="pure rotation"):
        pose_clip(tmp_path, [RELIEF.image(pose) for pose in poses])


def test_a_planar_wall_is_posed_with_a_sane_focal_length(tmp_path):
    """Straight ahead and sideways before it, which fits every focal length."""
    poses = [rigid(np.eye(3), np.array([0.05 * i, 0.0, 0.02 * i])) for i in range(32)]
    pose, rows = pose_clip(tmp_path, [Wall().image(pose) for pose in poses])
    frames = load_poses(pose.path(POSES_ITEM))
    assert all(row["posed"] == "1" for row in rows if row["name"])
    assert 0.6 < frames[0].camera.fx / CAMERA.fx < 1.6
    assert error_of_path(frames, poses) < 0.02


def test_two_blurred_seconds_do_not_break_the_model(tmp_path):
    images = [RELIEF.image(pose) for pose in PATH]
    images[10:30] = [cv2.GaussianBlur(image, (0, 0), 6) for image in images[10:30]]
    pose, rows = pose_clip(tmp_path, images)
    posed = {int(row["index"]) for row in rows if row["posed"] == "1"}
    assert posed & set(range(10))
    assert posed & set(range(30, 40))
    sharp = [row for row in rows if row["name"] and not 10 <= int(row["index"]) < 30]
    assert all(row["posed"] == "1" for row in sharp)
    assert all(row["reason"] for row in rows if row["posed"] == "0")
    assert error_of_path(load_poses(pose.path(POSES_ITEM)), PATH) < 0.02


def test_a_cut_to_another_scene_is_no_part_of_the_model(tmp_path):
    after = [
        rigid(turn(0.02 * i, 0.01 * i), np.array([0.3 - 0.05 * i, 0.02 * i, 0.03 * i]))
        for i in range(14)
    ]
    images = [RELIEF.image(pose) for pose in PATH[:26]]
    images += [Elsewhere(seed=11).image(pose) for pose in after]
    pose, rows = pose_clip(tmp_path, images)
    posed = [int(row["index"]) for row in rows if row["posed"] == "1"]
    assert max(posed) < 26
    assert len(posed) >= 6
    lost = [row for row in rows if row["name"] and row["posed"] == "0"]
    assert lost
    assert all(row["reason"].startswith("cut: another scene begins at 2.60") for row in lost)
    assert error_of_path(load_poses(pose.path(POSES_ITEM)), PATH) < 0.02


@pytest.mark.parametrize("scene", [Sparse(), Patterned()])
def test_plain_and_patterned_walls_stay_one_unfolded_model(tmp_path, scene):
    """From one frame to the next the pattern moves by more than half of its period."""
    path = sideways_path(28, 0.2)
    pose, rows = pose_clip(tmp_path, [scene.image(pose) for pose in path])
    assert all(row["posed"] == "1" for row in rows if row["name"])
    assert error_of_path(load_poses(pose.path(POSES_ITEM)), path) < 0.01


@pytest.mark.parametrize("given_px", [130.0, CAMERA.fx])
def test_wrong_given_intrinsics_are_mended_and_true_ones_are_kept(tmp_path, given_px):
    colour = [np.repeat(RELIEF.image(pose)[..., None], 3, axis=2) for pose in PATH]
    video = write_video(tmp_path / "clip.mp4", colour, crf=8)
    classes = {stage.name: stage.config for stage in PIPELINE}

    def make_runner(changes: Changes) -> Runner:
        configs = build_configs(classes, [{"frames": {"camera": str(given_px)}}, changes])
        return Runner(PIPELINE, tmp_path / "run", video, configs, workers=1)

    mended = run_and_mend(make_runner, MendConfig(), "pose")
    pose = mended.runner.store.latest("pose")
    assert pose is not None
    assert [mending.applied for mending in mended.mendings] == (
        [()] if given_px == CAMERA.fx else [("refining the given intrinsics",)]
    )
    assert error_of_path(load_poses(pose.path(POSES_ITEM)), PATH) < 0.002
