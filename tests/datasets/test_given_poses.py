import json

import numpy as np
import pytest

from mvrecon.datasets.given_poses import read_given_poses
from mvrecon.errors import InputError
from mvrecon.formats.colmap.files import write_model
from mvrecon.formats.colmap.model import ColmapImage, ColmapModel
from mvrecon.formats.trajectory import trajectory_text
from mvrecon.formats.transforms import TransformsFrame, transforms_text
from mvrecon.geometry.camera import Camera
from mvrecon.geometry.rigid import inverse_rigid, rigid, rotation_from_quaternion

CAMERA = Camera(640, 480, 500.0, 510.0, 320.0, 241.0, (0.1, 0.0, 0.0, 0.0))
POSES = [
    rigid(rotation_from_quaternion(np.array([0.9, 0.2, -0.1, w])), np.array([w, 2.0, 3.0]))
    for w in (0.3, 0.4, 0.5)
]


def write_colmap(path):
    path.mkdir()
    images = tuple(
        ColmapImage(
            3 - row, 1, f"{row}.jpg", inverse_rigid(pose), np.zeros((0, 2)), np.zeros(0, np.int64)
        )
        for row, pose in enumerate(POSES)
    )
    nothing = np.zeros((0, 3))
    model = ColmapModel({1: CAMERA}, images, nothing, nothing.astype(np.uint8), np.zeros(0))
    write_model(model, path)


def write_transforms(path):
    frames = [TransformsFrame(f"{row}.jpg", CAMERA, pose) for row, pose in enumerate(POSES)]
    path.write_text(transforms_text(frames))


def cameras_json(poses=POSES, **more):
    camera = CAMERA.to_json()
    intrinsics = {name: camera[name] for name in ("fx", "fy", "cx", "cy")}
    intrinsics |= {"w": camera["width"], "h": camera["height"], "dist": camera["distortion"]}
    frames = [
        {"file": f"{row}.jpg", "c2w": np.asarray(pose).tolist(), **intrinsics, **more}
        for row, pose in enumerate(poses)
    ]
    return json.dumps({"frames": frames})


def write_cameras_json(path):
    path.write_text(cameras_json())


@pytest.mark.parametrize("write", [write_colmap, write_transforms, write_cameras_json])
def test_forms_with_images_are_told_by_their_content(tmp_path, write):
    path = tmp_path / "poses"
    write(path)
    found = read_given_poses(path)
    assert [pose.file for pose in found] == ["0.jpg", "1.jpg", "2.jpg"]
    assert [pose.timestamp_s for pose in found] == [None] * 3
    assert all(pose.camera == CAMERA for pose in found)
    np.testing.assert_allclose([pose.world_from_cam for pose in found], POSES, atol=1e-9)


def test_a_trajectory_has_times_but_no_images_and_intrinsics(tmp_path):
    path = tmp_path / "poses"
    path.write_text(trajectory_text([0.0, 0.5, 1.5], POSES))
    found = read_given_poses(path)
    assert [(pose.file, pose.timestamp_s, pose.camera) for pose in found] == [
        ("", time_s, None) for time_s in (0.0, 0.5, 1.5)
    ]
    np.testing.assert_allclose([pose.world_from_cam for pose in found], POSES, atol=1e-7)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"frames": []}', "holds no camera poses"),
        ('{"frames": [{"file": "a"}]}', "neither transform_matrix nor c2w"),
        ('{"images": []}', "cannot be understood"),
        ("1 2 3\n", "line 1 is not a pose"),
        (cameras_json([np.diag([2.0, 2, 2, 1])]), "not a rotation"),
        (cameras_json([np.diag([-1.0, 1, 1, 1])]), "not a rotation"),
        (cameras_json([np.full((4, 4), np.nan)]), "not finite"),
    ],
)
def test_what_is_no_pose_is_refused(tmp_path, text, words):
    path = tmp_path / "poses"
    path.write_text(text)
    with pytest.raises(InputError, match=words):
        read_given_poses(path)


def test_rounded_rotations_are_made_rotations(tmp_path):
    path = tmp_path / "poses"
    path.write_text(cameras_json(np.round(POSES, 3)))
    for pose in read_given_poses(path):
        rotation = pose.world_from_cam[:3, :3]
        np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-12)
