import json

import numpy as np
import pytest

from mvrecon.errors import InputError
from mvrecon.formats.transforms import TransformsFrame, read_transforms, transforms_text
from mvrecon.geometry.camera import Camera
from mvrecon.geometry.rigid import rigid, rotation_from_quaternion


@pytest.mark.parametrize("distortion", [(), (0.1, 0.2, 0.3, 0.4)])
def test_round_trip(tmp_path, distortion):
    pose = rigid(rotation_from_quaternion(np.array([0.9, 0.2, -0.1, 0.4])), np.array([1.0, 2, 3]))
    camera = Camera(640, 480, 500.0, 510.0, 320.0, 241.0, distortion)
    path = tmp_path / "transforms.json"
    path.write_text(transforms_text([TransformsFrame("images/000000.jpg", camera, pose)]))
    (found,) = read_transforms(path)
    assert found.file_path == "images/000000.jpg"
    assert found.camera == camera
    np.testing.assert_allclose(found.world_from_cam, pose, atol=1e-12)


def test_axes_are_opengl():
    camera = Camera(4, 4, 4.0, 4.0, 1.5, 1.5)
    text = transforms_text([TransformsFrame("a.jpg", camera, np.eye(4))])
    matrix = np.array(json.loads(text)["frames"][0]["transform_matrix"])
    # The camera looks along world z: in OpenGL that is against its third axis.
    np.testing.assert_array_equal(matrix[:3, :3], np.diag([1.0, -1.0, -1.0]))


def test_shared_intrinsics(tmp_path):
    path = tmp_path / "transforms.json"
    frame = {"file_path": "a.jpg", "transform_matrix": np.eye(4).tolist()}
    shared = {"w": 8, "h": 6, "fl_x": 7.0, "cx": 4.0, "cy": 3.0}
    path.write_text(json.dumps({**shared, "frames": [frame]}))
    assert read_transforms(path)[0].camera == Camera(8, 6, 7.0, 7.0, 3.5, 2.5)


@pytest.mark.parametrize("text", ["{", "{}", '{"frames": [{}]}', '{"frames": 3}'])
def test_not_a_transforms_file(tmp_path, text):
    path = tmp_path / "transforms.json"
    path.write_text(text)
    with pytest.raises(InputError, match="cannot be understood"):
        read_transforms(path)
