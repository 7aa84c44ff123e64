import numpy as np
import pytest

from mvrecon.formats.images import list_images
from stages.frames.choosing.motion import Motion
from stages.frames.choosing.order import are_numbered, measure_order, order_of
from tests.media import make_texture, pan, write_images

SEEN, LOST = Motion(0.02, 0.9), Motion(0.0, 0.0)


def test_numbered_overlapping_images_are_a_sequence(tmp_path):
    folder = write_images(tmp_path / "a", pan(np.arange(0, 400, 20.0)))
    order = measure_order(list_images(folder))
    assert order.kind == "sequence"
    assert order.step == pytest.approx(20 / 200, rel=0.1)
    assert "19 of 19 neighbours overlap" in order.reason


def test_the_same_images_in_another_order_are_photos(tmp_path):
    images = pan(np.arange(0, 400, 20.0))
    shuffled = np.random.default_rng(0).permutation(len(images))
    folder = write_images(tmp_path / "a", [images[i] for i in shuffled])
    assert measure_order(list_images(folder)).kind == "photos"


def test_unnumbered_names_are_photos(tmp_path):
    folder = write_images(tmp_path / "a", pan(np.arange(0, 60, 20.0)))
    for path, name in zip(list_images(folder), ["door", "left", "right"], strict=True):
        path.rename(folder / f"{name}.png")
    order = measure_order(list_images(folder))
    assert (order.kind, order.reason) == ("photos", "the names are not numbered")


def test_unrelated_images_are_photos(tmp_path):
    folder = write_images(tmp_path / "a", [make_texture(60, 80, seed) for seed in range(6)])
    assert measure_order(list_images(folder)).kind == "photos"


def test_one_jump_leaves_a_sequence():
    assert order_of([SEEN] * 20 + [LOST] + [SEEN] * 20, [LOST] * 41).kind == "sequence"


def test_neighbours_no_closer_than_others_are_no_order():
    assert order_of([SEEN] * 20, [Motion(0.021, 0.9)] * 20).kind == "photos"
    assert order_of([SEEN] * 20, [Motion(0.1, 0.5)] * 20).kind == "sequence"


@pytest.mark.parametrize(
    ("names", "numbered"),
    [
        (["000000.jpg", "000002.jpg"], True),
        (["DSC_0423.jpg", "DSC_0424.jpg"], True),
        (["frame1_left.png", "frame2_left.png"], True),
        (["key.jpg", "src0.jpg", "a1.jpg", "b2.jpg"], False),
    ],
)
def test_numbered_names(names, numbered):
    assert are_numbered(names) == numbered
