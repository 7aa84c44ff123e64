"""Known poses: found for the key frames, checked, kept, and given points."""

import csv
import json
from dataclasses import replace

import numpy as np
import pytest

from mvrecon.artifacts.poses import POINTS_ITEM, POSES_ITEM, SparsePoints, load_poses
from mvrecon.errors import InputError
from mvrecon.formats.trajectory import trajectory_text
from mvrecon.geometry.rigid import transform_points
from stages.pose.config import PoseConfig
from stages.pose.stage import run
from tests.stages.pose.scene import CAMERA, Relief, frame_table, pose_context, sideways_path

FRAMES = 6
TRUTH = sideways_path(FRAMES, 0.2)


def write_cameras(path, poses, camera=CAMERA):
    frames = [
        {
            "file": f"images/{row}.jpg",
            **{"w": camera.width, "h": camera.height, "fx": camera.fx, "fy": camera.fy},
            **{"cx": camera.cx, "cy": camera.cy, "c2w": pose.tolist()},
        }
        for row, pose in enumerate(poses)
    ]
    path.write_text(json.dumps({"frames": frames}))
    return path


@pytest.fixture(scope="module")
def rendered():
    relief = Relief()
    return [relief.image(pose) for pose in TRUTH], relief.flows(TRUTH)


def run_with(root, rendered, known, source="default", focal=1.0):
    prior = replace(CAMERA, fx=CAMERA.fx * focal, fy=CAMERA.fy * focal)
    table = frame_table(FRAMES, prior, source)
    context = pose_context(root, *rendered, table, PoseConfig(known=known))
    return context, run(context)


def test_known_poses_stay_and_get_points(tmp_path, rendered):
    poses = write_cameras(tmp_path / "cameras.json", TRUTH)
    context, summary = run_with(tmp_path, rendered, poses, focal=1.4)
    frames = load_poses(context.out.path(POSES_ITEM))
    np.testing.assert_allclose([frame.world_from_cam for frame in frames], TRUTH, atol=1e-9)
    assert all(frame.camera == CAMERA for frame in frames)
    points = SparsePoints.load(context.out.path(POINTS_ITEM))
    assert len(points.xyz_n3) > 100
    errors = []
    for row, frame in enumerate(frames):
        here = points.observation_frame_m == row
        seen = transform_points(
            frame.cam_from_world, points.xyz_n3[points.observation_point_m[here]]
        )
        errors.append(frame.camera.project(seen) - points.observation_xy_m2[here])
    assert np.median(np.abs(np.concatenate(errors))) < 0.3
    # The surface of the relief, in the poses' own units.
    height = Relief().height(points.xyz_n3[:, 0], points.xyz_n3[:, 1])
    assert np.median(np.abs(points.xyz_n3[:, 2] - height)) < 0.03
    assert summary.numbers["known_epipolar_error_px"] < 0.3
    assert summary.warnings == []


def test_frames_without_a_known_pose_say_so(tmp_path, rendered):
    poses = write_cameras(tmp_path / "cameras.json", TRUTH[:4])
    context, summary = run_with(tmp_path, rendered, poses)
    rows = list(csv.DictReader(context.out.path("frames.csv").open()))
    assert [row["posed"] for row in rows[:FRAMES]] == ["1"] * 4 + ["0"] * 2
    assert "no pose among the known ones" in rows[4]["reason"]
    assert any("could not be posed" in warning for warning in summary.warnings)


def test_a_trajectory_alone_shows_the_focal_length(tmp_path, rendered):
    path = tmp_path / "trajectory.txt"
    path.write_text(trajectory_text(np.arange(FRAMES) * 0.1, TRUTH))
    context, summary = run_with(tmp_path, rendered, path, focal=1.4)
    focal_px = load_poses(context.out.path(POSES_ITEM))[0].camera.fx
    assert abs(focal_px / CAMERA.fx - 1) < 0.02
    assert any("no intrinsics" in warning for warning in summary.warnings)


def test_a_trajectory_leaves_given_intrinsics_alone(tmp_path, rendered):
    path = tmp_path / "trajectory.txt"
    path.write_text(trajectory_text(np.arange(FRAMES) * 0.1, TRUTH))
    context, _ = run_with(tmp_path, rendered, path, source="given")
    assert load_poses(context.out.path(POSES_ITEM))[0].camera == CAMERA


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ([np.linalg.inv(pose) for pose in TRUTH], "cam_from_world"),
        ([pose @ np.diag([1.0, -1, -1, 1]) for pose in TRUTH], "OpenGL"),
    ],
)
def test_another_convention_is_recognised(tmp_path, rendered, wrong, words):
    with pytest.raises(InputError, match=f"do not fit.*{words}"):
        run_with(tmp_path, rendered, write_cameras(tmp_path / "cameras.json", wrong))


def test_poses_that_do_not_fit_are_told(tmp_path, rendered):
    wrong = [pose.copy() for pose in TRUTH]
    for pose, shift in zip(wrong, (0.1, 0.0, -0.15, 0.05, 0.2, -0.1), strict=True):
        pose[1, 3] += shift
    _, summary = run_with(tmp_path, rendered, write_cameras(tmp_path / "cameras.json", wrong))
    assert any("do not fit the images" in warning for warning in summary.warnings)


def test_one_wrong_pose_is_named(tmp_path, rendered):
    wrong = [pose.copy() for pose in TRUTH]
    wrong[2][1, 3] += 0.3
    _, summary = run_with(tmp_path, rendered, write_cameras(tmp_path / "cameras.json", wrong))
    assert any("of 1 key frames do not fit" in warning for warning in summary.warnings)
    assert any("000002" in warning for warning in summary.warnings)
