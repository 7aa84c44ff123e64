"""The whole stage on a rendered relief with exact flow."""

import csv
import json

import numpy as np
import pytest

from mvrecon.artifacts.frames import image_item
from mvrecon.artifacts.poses import POINTS_ITEM, POSES_ITEM, SparsePoints, load_poses
from mvrecon.engine.partial import PartialArtifact
from mvrecon.errors import NotEnoughDataError
from mvrecon.formats.colmap.files import read_model
from mvrecon.formats.trajectory import read_trajectory
from mvrecon.formats.transforms import read_transforms
from mvrecon.geometry.rigid import rigid, transform_points
from mvrecon.geometry.similarity import align_similarity
from stages.pose.config import PoseConfig
from stages.pose.stage import run
from tests.stages.pose.scene import (
    CAMERA,
    Relief,
    frame_table,
    pose_context,
    sideways_path,
    turn,
)

FRAMES = 8


def context_of(root, poses, source="given", config=None, relief=None):
    relief = relief or Relief()
    images = [relief.image(pose) for pose in poses]
    table = frame_table(len(poses), relief.camera, source)
    return pose_context(root, images, relief.flows(poses), table, config)


@pytest.fixture(scope="module")
def solved(tmp_path_factory):
    poses = sideways_path(FRAMES, 0.2)
    context = context_of(tmp_path_factory.mktemp("solved"), poses)
    return context, poses, run(context)


def test_every_frame_is_posed_and_right(solved):
    context, truth, summary = solved
    frames = load_poses(context.out.path(POSES_ITEM))
    assert [frame.name for frame in frames] == [f"{index:06d}" for index in range(FRAMES)]
    found = np.stack([frame.world_from_cam[:3, 3] for frame in frames])
    centres = np.stack([pose[:3, 3] for pose in truth])
    error = align_similarity(found, centres).apply(found) - centres
    path = np.linalg.norm(np.diff(centres, axis=0), axis=1).sum()
    assert np.sqrt((error**2).sum(axis=1).mean()) < 5e-3 * path
    assert summary.numbers["posed_frames"] == FRAMES
    assert summary.numbers["models"] == 1
    assert summary.warnings == []


def test_given_camera_and_its_pixels_stay(solved):
    context, _, _ = solved
    frames = load_poses(context.out.path(POSES_ITEM))
    assert all(frame.camera == frame.source_camera == CAMERA for frame in frames)
    item = image_item("000003")
    source = context.inputs["frames"].path(item).read_bytes()
    assert context.out.path(item).read_bytes() == source


def test_the_sparse_points_are_where_the_images_see_them(solved):
    context, _, _ = solved
    frames = load_poses(context.out.path(POSES_ITEM))
    points = SparsePoints.load(context.out.path(POINTS_ITEM))
    assert len(points.xyz_n3) > 100
    for row, frame in enumerate(frames):
        here = points.observation_frame_m == row
        cam = transform_points(
            frame.cam_from_world, points.xyz_n3[points.observation_point_m[here]]
        )
        error = frame.camera.project(cam) - points.observation_xy_m2[here]
        assert np.median(np.abs(error)) < 0.5
    assert points.rgb_n3.std() > 5


def test_files_tell_the_same_poses(solved):
    context, _, _ = solved
    frames = load_poses(context.out.path(POSES_ITEM))
    poses = np.stack([frame.world_from_cam for frame in frames])
    trajectory = read_trajectory(context.out.path("trajectory.txt"))
    np.testing.assert_allclose(trajectory.world_from_cam_n44, poses, atol=1e-6)
    np.testing.assert_allclose(trajectory.timestamp_s_n, [frame.timestamp_s for frame in frames])
    transforms = read_transforms(context.out.path("transforms.json"))
    np.testing.assert_allclose([frame.world_from_cam for frame in transforms], poses, atol=1e-12)
    model = read_model(context.out.path("colmap"))
    np.testing.assert_allclose(
        [np.linalg.inv(image.cam_from_world) for image in model.images], poses, atol=1e-9
    )
    assert [image.name for image in model.images] == [f"{frame.name}.jpg" for frame in frames]


def test_frames_csv_lists_every_frame_considered(solved):
    context, _, _ = solved
    rows = list(csv.DictReader(context.out.path("frames.csv").open()))
    assert list(rows[0]) == ["index", "name", "source", "timestamp_s", "posed", "reason"]
    assert len(rows) == FRAMES + 1
    assert [row["posed"] for row in rows] == ["1"] * FRAMES + ["0"]
    assert rows[-1]["reason"] == "blurred"
    assert rows[-1]["name"] == ""


def test_an_interrupted_stage_goes_on_with_the_images(solved, monkeypatch):
    context, _, summary = solved
    lost = context.out.path(image_item("000005"))
    before = lost.read_bytes()
    lost.unlink()
    context.out = PartialArtifact(context.out.folder)  # as a later process finds it

    def not_again(*_):
        raise AssertionError("solved twice")

    monkeypatch.setattr("stages.pose.run.solve", not_again)
    again = run(context)
    assert lost.read_bytes() == before
    assert again == summary


def test_a_cut_to_another_scene_leaves_its_frames_with_a_reason(tmp_path):
    relief, other = Relief(), Relief(seed=7)
    poses = sideways_path(7, 0.2)
    images = [relief.image(pose) for pose in poses] + [other.image(pose) for pose in poses[:2]]
    flows = relief.flows(poses) | {(7, 8): other.flow(poses[0], poses[1])}
    context = pose_context(tmp_path, images, flows, frame_table(9, CAMERA, "given"))
    summary = run(context)
    rows = list(csv.DictReader(context.out.path("frames.csv").open()))
    assert summary.numbers["posed_frames"] == 7
    assert [row["posed"] for row in rows[:9]] == ["1"] * 7 + ["0"] * 2
    assert all(row["reason"] for row in rows[7:9])
    assert any("could not be posed" in warning for warning in summary.warnings)


@pytest.mark.parametrize(
    ("poses", "words"),
    [
        ([np.eye(4)] * 5, "static camera"),
        ([rigid(turn(0.03 * i, 0.01 * i), np.zeros(3)) for i in range(6)], "pure rotation"),
        (sideways_path(2), "of 2 frames"),
    ],
)
def test_hopeless_input_says_why(tmp_path, poses, words):
    with pytest.raises(NotEnoughDataError, match=words):
        run(context_of(tmp_path, poses))


def test_photos_are_matched_by_sift(tmp_path):
    relief, poses = Relief(), sideways_path(4, 0.3)
    table = frame_table(4, CAMERA, "given", kind="photos")
    images = [relief.image(pose) for pose in poses]
    context = pose_context(tmp_path, images, {}, table, PoseConfig(photos={"features": 500}))
    assert run(context).numbers["posed_frames"] == 4


def test_numbers_are_plain_json(solved):
    _, _, summary = solved
    assert json.loads(json.dumps(dict(summary.numbers))) == summary.numbers
