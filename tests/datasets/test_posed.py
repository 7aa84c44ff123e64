import json

import pytest

from mvrecon.datasets.posed import load_posed_set
from mvrecon.errors import InputError

FRAME = {"file": "a.jpg", "w": 64, "h": 48, "fx": 52.5, "fy": 52.5, "cx": 31.5, "cy": 23.5}
FRAME |= {"dist": [0.1, 0.0, 0.0, 0.0], "depth": "a.png"}
FRAME |= {"c2w": [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]}


def load(tmp_path, **fields):
    (tmp_path / "cameras.json").write_text(json.dumps({"frames": [FRAME]} | fields))
    return load_posed_set(tmp_path)


def test_depth_maps_have_their_own_intrinsics_where_the_set_tells_them(tmp_path):
    (image,) = load(tmp_path).images
    assert image.depth_camera == image.camera
    (image,) = load(tmp_path, depth_intrinsics=[58.5, 58, 32, 24]).images
    assert (image.camera.fx, image.camera.distortion[0]) == (52.5, 0.1)
    depth = image.depth_camera
    assert (depth.fx, depth.fy, depth.cx, depth.cy) == (58.5, 58, 32, 24)
    assert (depth.width, depth.height, depth.distortion) == (64, 48, ())


def test_a_set_tells_how_exact_its_reference_is(tmp_path):
    assert load(tmp_path).reference_accuracy is None
    assert load(tmp_path, reference_accuracy=0.01).reference_accuracy == 0.01


@pytest.mark.parametrize(
    "wrong", [{"depth_intrinsics": [1, 2, 3]}, {"reference_accuracy": -1}, {"frames": [{}]}]
)
def test_what_is_not_of_the_form_is_an_input_error(tmp_path, wrong):
    with pytest.raises(InputError, match="cannot be understood"):
        load(tmp_path, **wrong)
