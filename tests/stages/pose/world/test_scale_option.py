import pytest

from stages.pose.config import PoseConfig
from stages.pose.world.scale_option import (
    Baseline,
    CameraHeight,
    PixelDistance,
    PointDistance,
    Spot,
    parse_scale,
)


@pytest.mark.parametrize(
    "text",
    ["", "points", "height:0", "height:-1", "height:inf", "baseline:1:2", "points:1,2:3,4:5"],
)
def test_other_texts_are_refused(text):
    with pytest.raises(ValueError, match="points:X,Y,Z"):
        parse_scale(text)
    with pytest.raises(ValueError, match="scale"):
        PoseConfig(scale=text)


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("auto", None),
        ("none", None),
        ("height:1.6", CameraHeight(1.6)),
        ("baseline:000001:000007:0.5", Baseline("000001", "000007", 0.5)),
        ("points:1,2,3:-1,0,2.5:4", PointDistance((1, 2, 3), (-1, 0, 2.5), 4.0)),
        ("pixels:a@1,2:b@3.5,4:2", PixelDistance(Spot("a", 1, 2), Spot("b", 3.5, 4), 2.0)),
    ],
)
def test_each_form_is_read(text, length):
    assert parse_scale(text) == length
