from dataclasses import replace

import numpy as np
import pytest

from mvrecon.formats.colmap_model import ColmapImage, ColmapModel
from stages.pose.mapping.mapper import MapperSettings
from stages.pose.mapping.solve import (
    attempted_settings,
    is_believable,
    needed_frames,
    relaxed_settings,
)
from stages.pose.options import MappingOptions
from tests.stages.pose.scene import CAMERA, frame_table

STANDARD = MapperSettings(mapper="global", calibrate=True, fixed_cameras=(1,))
RELAXED = relaxed_settings(STANDARD, MappingOptions(min_inliers=12, init_angle=3, min_angle=0.4))


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


def test_relaxed_settings_are_those_of_the_options():
    assert RELAXED.abs_pose_min_inliers == 12
    assert RELAXED.init_min_angle_deg == 3
    assert RELAXED.min_angle_deg == 0.4
    assert (
        replace(
            RELAXED,
            abs_pose_min_inliers=STANDARD.abs_pose_min_inliers,
            init_min_angle_deg=STANDARD.init_min_angle_deg,
            min_angle_deg=STANDARD.min_angle_deg,
            init_max_forward_motion=STANDARD.init_max_forward_motion,
        )
        == STANDARD
    )


def test_the_mapper_that_was_chosen_is_tried_first_and_every_other_way_after():
    tried = attempted_settings(STANDARD, RELAXED, pieces=0)
    assert list(tried) == ["standard", "relaxed", "calibrated", "global", "fixed focal length"]
    assert [settings.mapper for settings in tried.values()] == [
        *["global"] * 2,
        "incremental",
        "global",
        "incremental",
    ]
    assert tried["calibrated"].calibrate
    assert not tried["fixed focal length"].refine_focal
    assert all(settings.fixed_cameras == (1,) for settings in tried.values())


def test_a_sequence_in_one_piece_needs_no_strict_settings():
    assert "standard" not in attempted_settings(STANDARD, RELAXED, pieces=1)
    assert "standard" in attempted_settings(STANDARD, RELAXED, pieces=2)


@pytest.mark.parametrize(("kind", "count", "needed"), [("photos", 2, 2), ("photos", 3, 3)])
def test_two_photos_are_enough_but_two_of_many_are_not(kind, count, needed):
    assert needed_frames(frame_table(count, CAMERA, "given", kind)) == needed
    assert needed_frames(frame_table(count, CAMERA, "given")) == 3
