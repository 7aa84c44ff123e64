import numpy as np
import pytest

from mvrecon.geometry.similarity import Similarity
from stages.pose.world.positions import align_to_positions

TURN = np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])


METRES_PER_DEGREE = 111_132.0


def geodetic(local_n3):
    """Places 45° north that are so many metres east, north, up of one."""
    return np.column_stack(
        [
            45 + local_n3[:, 1] / METRES_PER_DEGREE,
            7 + local_n3[:, 0] / 78_847.0,
            200 + local_n3[:, 2],
        ]
    )


def ring(count=12, radius_m=20.0):
    angle = np.linspace(0, 2 * np.pi, count, endpoint=False)
    return np.column_stack([np.cos(angle), np.sin(angle), 0.1 * np.cos(2 * angle)]) * radius_m


def test_positions_give_metres_in_spite_of_one_that_is_far_off():
    local = ring()
    model = Similarity(0.05, TURN, np.ones(3)).apply(local)
    places = geodetic(local + np.random.default_rng(0).normal(0, 0.5, local.shape))
    places[3] += [0.01, 0.01, 0]
    fit = align_to_positions(model, places)
    assert fit.similarity is not None
    assert fit.similarity.scale == pytest.approx(20.0, rel=0.03)
    moved = fit.similarity.apply(model)
    np.testing.assert_allclose(moved - moved[0], local - local[0], atol=1.5)


def test_positions_in_a_line_leave_up_where_it_is():
    local = np.column_stack([np.linspace(0, 50, 9), np.zeros(9), np.zeros(9)])
    fit = align_to_positions(Similarity(0.1, TURN, np.zeros(3)).apply(local), geodetic(local))
    assert fit.similarity is not None
    assert fit.similarity.scale == pytest.approx(10.0, rel=1e-3)
    np.testing.assert_allclose(fit.similarity.rotation_33[2], [0, 0, 1], atol=1e-9)


@pytest.mark.parametrize(
    ("places", "words"),
    [
        (geodetic(np.random.default_rng(0).normal(0, 5, (12, 3))), "from where the cameras"),
        (geodetic(np.zeros((12, 3))), "all the same"),
    ],
)
def test_positions_of_no_use_say_why(places, words):
    fit = align_to_positions(ring() / 20, places)
    assert fit.similarity is None
    assert words in fit.reason


def test_two_photos_say_nothing():
    fit = align_to_positions(ring()[:2], geodetic(ring()[:2]))
    assert fit.similarity is None
    assert fit.reason == "only 2 posed photos have one"
