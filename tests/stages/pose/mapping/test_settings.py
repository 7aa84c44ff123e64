from dataclasses import replace

from stages.pose.mapping.mapper import MapperSettings, attempted_settings, relaxed_settings
from stages.pose.options import MappingOptions

STANDARD = MapperSettings(mapper="global", calibrate=True, fixed_cameras=(1,))


RELAXED = relaxed_settings(STANDARD, MappingOptions(min_inliers=12, init_angle=3, min_angle=0.4))


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
