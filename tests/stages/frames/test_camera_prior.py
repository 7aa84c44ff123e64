import pytest

from mvrecon.errors import UsageError
from mvrecon.formats.images import ImageHeader
from stages.frames.camera_prior import DEFAULT_FOCAL, make_camera, make_priors

PLAIN = ImageHeader((2000, 1000), None)


def test_given_intrinsics_are_scaled_to_the_stored_size():
    given = (1800.0, 1810.0, 999.5, 480.0, 0.1, -0.2, 0.001, 0.002)
    (prior,), indices, warnings = make_priors({0: PLAIN, 7: PLAIN}, given, 1000)
    assert prior.source == "given"
    camera = prior.camera
    assert (camera.width, camera.height) == (1000, 500)
    assert (camera.fx, camera.fy) == pytest.approx((900, 905))
    assert (camera.cx, camera.cy) == pytest.approx((499.5, 239.75))
    assert camera.distortion == given[4:]
    assert indices == {0: 0, 7: 0}
    assert warnings == []


def test_a_focal_length_alone_puts_the_principal_point_at_the_centre():
    camera = make_camera([1800.0], (2000, 1000))
    assert (camera.fx, camera.fy, camera.cx, camera.cy) == (1800, 1800, 999.5, 499.5)


def test_exif_before_default_and_one_camera_for_each_kind():
    headers = {
        0: PLAIN,
        1: ImageHeader((2000, 1000), 1500.0),
        2: ImageHeader((1000, 2000), 1500.0),
        3: ImageHeader((2000, 1000), 1500.0),
    }
    cameras, indices, _ = make_priors(headers, None, 4000)
    assert [prior.source for prior in cameras] == ["default", "exif", "exif"]
    assert cameras[0].camera.fx == DEFAULT_FOCAL * 2000
    assert cameras[1].camera.fx == 1500
    assert indices == {0: 0, 1: 1, 2: 2, 3: 1}


def test_given_intrinsics_do_not_hold_for_another_shape():
    headers = {0: PLAIN, 1: PLAIN, 2: ImageHeader((1000, 1000), None)}
    cameras, indices, warnings = make_priors(headers, [1800.0], 4000)
    assert [cameras[indices[i]].source for i in range(3)] == ["given", "given", "default"]
    assert "1 key frames" in warnings[0]


@pytest.mark.parametrize(
    "numbers", [[10.0], [1e6], [1800.0, -1800.0, 1000.0, 500.0], [1800.0, 1800.0, 1000.0, 1200.0]]
)
def test_senseless_intrinsics_are_a_usage_error(numbers):
    with pytest.raises(UsageError, match="2000×1000"):
        make_camera(numbers, (2000, 1000))
