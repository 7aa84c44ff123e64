"""Known poses: found for the key frames, checked, kept, and given points."""

import csv
import json
from dataclasses import replace

import numpy as np
import pytest

from mvrecon.artifacts.frames import FrameRecord, FrameTable
from mvrecon.artifacts.poses import POINTS_ITEM, POSES_ITEM, SparsePoints, load_poses
from mvrecon.datasets.given_poses import GivenPose
from mvrecon.errors import InputError
from mvrecon.formats.trajectory import trajectory_text
from mvrecon.geometry.camera import Camera
from mvrecon.geometry.rigid import rigid, transform_points
from stages.pose.config import PoseConfig
from stages.pose.known.assignment import assign_poses, stored_camera
from stages.pose.stage import run
from tests.stages.pose.scene import CAMERA, Relief, frame_table, pose_context, sideways_path

FRAMES = 6
TRUTH = sideways_path(FRAMES, 0.2)


def given(files=None, times=None, count=FRAMES):
    files = files or [""] * count
    times = times or [None] * count
    return [
        GivenPose(file, time, CAMERA, rigid(np.eye(3), np.array([row, 0.0, 0.0])))
        for row, (file, time) in enumerate(zip(files, times, strict=True))
    ]


def table_of(sources, times=None, kept=None):
    times = times or list(map(float, range(len(sources))))
    frames = [
        FrameRecord(i, f"{i:06d}" if kept is None or i in kept else "", source, time, 0, 1.0, "")
        for i, (source, time) in enumerate(zip(sources, times, strict=True))
    ]
    return FrameTable(
        "sequence", "made so", frame_table(1, CAMERA, "default").cameras, tuple(frames)
    )


def rows_of(table, poses):
    """Which of the poses each key frame got: they stand at x = 0, 1, 2, …"""
    found = assign_poses(table, poses, "poses.json")
    return {name: round(float(pose.world_from_cam[0, 3]), 6) for name, pose in found.items()}


VIDEO = table_of(["0", "1", "2", "3"], [0.0, 0.1, 0.2, 0.3], kept={1, 3})


@pytest.mark.parametrize(
    ("table", "poses", "rows"),
    [
        (table_of(["b.jpg", "a.jpg"]), given(["images/a.jpg", "images/b.jpg"], count=2), [1, 0]),
        (table_of(["b.jpg", "a.jpg"]), given(["./a", "./b.png"], count=2), [1, 0]),
        (table_of(["b.jpg", "a.jpg"]), given(times=[0.0, 1.0], count=2), [0, 1]),
        (table_of(["7.5.png", "8.5.png"]), given(times=[7.5, 8.5], count=2), [0, 1]),
        (VIDEO, given(times=[0.0, 0.1, 0.2, 0.3], count=4), [1, 3]),
        (VIDEO, given(["x1", "x2", "x3", "x4"], count=4), [1, 3]),
        (VIDEO, given(["000001.jpg", "000003.jpg"], count=2), [0, 1]),
        # Not at the frames' times: between the poses on both sides.
        (VIDEO, given(times=[0.06, 0.14, 0.26, 0.34], count=4), [0.5, 2.5]),
    ],
)
def test_each_key_frame_gets_its_pose(table, poses, rows):
    names = [frame.name for frame in table.key_frames]
    assert rows_of(table, poses) == dict(zip(names, rows, strict=True))


def test_frames_without_a_pose_are_left_out():
    table = table_of(["a.jpg", "b.jpg", "c.jpg"])
    assert rows_of(table, given(["c.jpg", "a.jpg"], count=2)) == {"000000": 1, "000002": 0}


@pytest.mark.parametrize(
    ("table", "poses"),
    [
        (table_of(["a.jpg", "b.jpg"]), given(["x.jpg", "y.jpg"], count=2)),
        (VIDEO, given(["x.jpg", "y.jpg", "z.jpg"], count=3)),
        (VIDEO, given(times=[100.0, 101.0, 102.0], count=3)),
    ],
)
def test_poses_of_other_images_are_refused(table, poses):
    with pytest.raises(InputError, match=r"none of the .* key frames: it has .* the first is"):
        assign_poses(table, poses, "poses.json")


def test_intrinsics_follow_the_stored_size_and_must_have_its_shape():
    original = Camera(480, 360, 400.0, 400.0, 239.5, 179.5)
    assert stored_camera(original, CAMERA, "a.jpg") == CAMERA
    with pytest.raises(InputError, match="upright"):
        stored_camera(Camera(360, 480, 400.0, 400.0, 179.5, 239.5), CAMERA, "a.jpg")


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
