from dataclasses import replace

import numpy as np
import pytest

from mvrecon.formats.colmap.model import ColmapImage, ColmapModel
from stages.pose.mapping.solve import is_believable, needed_frames
from tests.stages.pose.scene import CAMERA, frame_table


def test_wild_cameras_are_not_believed():
    image = ColmapImage(1, 1, "0.jpg", np.eye(4), np.zeros((1, 2)), np.zeros(1, np.int64))
    colours = np.zeros((1, 3), np.uint8)
    model = ColmapModel({1: CAMERA}, (image,), np.ones((1, 3)), colours, np.zeros(1))
    wide = replace(CAMERA, fx=30.0, fy=30.0)
    bent = replace(CAMERA, distortion=(5.0, 0.0, 0.0, 0.0))
    assert is_believable(model)
    assert not is_believable(replace(model, cameras={1: wide}))
    assert not is_believable(replace(model, cameras={1: bent}))
    assert not is_believable(replace(model, xyz_n3=np.zeros((0, 3))))


@pytest.mark.parametrize(("kind", "count", "needed"), [("photos", 2, 2), ("photos", 3, 3)])
def test_two_photos_are_enough_but_two_of_many_are_not(kind, count, needed):
    assert needed_frames(frame_table(count, CAMERA, "given", kind)) == needed
    assert needed_frames(frame_table(count, CAMERA, "given")) == 3
