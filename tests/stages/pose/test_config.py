import pytest
from pydantic import ValidationError

from mvrecon.config import build_configs, upgraded_options
from mvrecon.engine.config import ADVANCED, is_marked, option_fields
from mvrecon.errors import UsageError
from mvrecon.geometry.camera import Camera
from stages.pose.config import PoseConfig, error_px

CLASSES = {"pose": PoseConfig}


def key_of(**options):
    return PoseConfig(**options).key_options()


def test_every_old_name_leads_to_an_option_that_takes_its_values():
    old = {
        "tracks": 600,
        "min_track_length": 4,
        "min_flow_confidence": 0.4,
        "sift_max_size": 900,
        "sift_features": 5000,
        "exhaustive_photos": 30,
        "photo_partners": 10,
        "bridge_max_size": 500,
        "loops": False,
        "loop_min_inliers": 50,
        "mapper": "global",
        "max_error": 2.0,
        "refine_intrinsics": True,
        "min_model_fraction": 0.8,
        "moving": "keep",
    }
    assert set(old) == set(PoseConfig.renamed)
    upgraded = upgraded_options(CLASSES, {"pose": old})
    config = build_configs(CLASSES, [upgraded])["pose"]
    for name, value in old.items():
        found = config
        for part in PoseConfig.renamed[name].split("."):
            found = getattr(found, part)
        assert found == value


def test_an_old_name_is_answered_with_the_new_one():
    with pytest.raises(UsageError, match=r"it is now 'tracks.per_frame'"):
        build_configs(CLASSES, [{"pose": {"tracks": 600}}])


def test_what_is_off_is_not_in_the_key():
    kept = {"mode": "keep"}
    assert key_of(moving=kept) == key_of(moving={**kept, "core": 0.5}) != key_of()
    off = {"enabled": False}
    assert key_of(loops=off) == key_of(loops={**off, "every": 5, "partners": 4}) != key_of()
    # Asked of look-alikes across gaps, too, which are sought without loops.
    assert key_of(loops=off) != key_of(loops={**off, "min_inliers": 50})
    assert key_of(loops={"every": 5}) != key_of()


def test_known_poses_need_no_loops(tmp_path):
    known = tmp_path / "poses.txt"
    assert "loops" not in key_of(known=known)
    assert "tracks" in key_of(known=known)


def test_every_option_says_what_it_is_and_many_are_for_research():
    fields = option_fields(PoseConfig)
    assert all(field.description for field in fields.values())
    advanced = [name for name, field in fields.items() if is_marked(field, ADVANCED)]
    assert "tracks.max_anchor_age" in advanced
    assert "tracks.per_frame" not in advanced


@pytest.mark.parametrize("options", [{"tracks": {"per_frame": 1}}, {"moving": {"mode": "no"}}])
def test_values_out_of_range_are_refused(options):
    with pytest.raises(ValidationError):
        PoseConfig(**options)


@pytest.mark.parametrize(
    ("size", "expected"), [((1000, 700), 2.0), ((1500, 3000), 6.0), ((100, 80), 1.0)]
)
def test_errors_follow_the_longer_side_of_the_images_but_not_below_half(size, expected):
    assert error_px(2.0, Camera(*size, 500.0, 500.0, 0.0, 0.0)) == pytest.approx(expected)
