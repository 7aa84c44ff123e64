"""Each known pose is found for its key frame."""

import numpy as np
import pytest

from mvrecon.artifacts.frames import FrameRecord, FrameTable
from mvrecon.datasets.given_poses import GivenPose
from mvrecon.errors import InputError
from mvrecon.geometry.camera import Camera
from mvrecon.geometry.rigid import rigid
from stages.pose.known.assignment import assign_poses, stored_camera
from tests.stages.pose.scene import CAMERA, frame_table


def given(files=None, times=None, count=6):
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
