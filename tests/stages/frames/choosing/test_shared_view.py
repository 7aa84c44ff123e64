from itertools import combinations, pairwise

import cv2
import numpy as np
import pytest

from stages.frames.choosing.shared_view import FAR, MIN_SHARE, SharedViews, keep_joined
from tests.media import make_texture, pan

DIAGONAL_PX = 200.0


def views_of(images, span=12):
    views = SharedViews(span)
    for image in images:
        views.add(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY))
    return views


def worst(views, kept):
    return min(views.along(kept))


def test_the_share_falls_with_the_distance_and_ends_with_the_span():
    views = views_of(pan(np.arange(0, 90, 10.0)), span=3)
    shares = [views.between(0, i) for i in range(1, 5)]
    assert shares[0] > shares[1] > shares[2] > 0.5
    assert shares[0] == pytest.approx(150 / 160 - FAR * 10 / DIAGONAL_PX, abs=0.08)
    assert shares[3] == 0.0


def test_another_scene_shares_nothing():
    views = views_of([make_texture(120, 160, seed) for seed in range(3)])
    assert views.between(0, 1) < MIN_SHARE
    assert views.joined(0, MIN_SHARE) == [1]


@pytest.mark.parametrize("most", [4, 6, 9])
def test_no_other_choice_leaves_the_worst_neighbours_more(most):
    steps = [3, 3, 20, 3, 3, 3, 25, 3, 3, 9, 3, 30]
    views = views_of(pan(np.cumsum([0, *steps])))
    kept, needed = keep_joined(views, most)
    assert len(kept) == most >= needed
    assert (kept[0], kept[-1]) == (0, len(steps))
    others = [[0, *middle, len(steps)] for middle in combinations(range(1, len(steps)), most - 2)]
    # What no choice of frames can mend does not count: neighbours from the start.
    mendable = [
        min((views.between(a, b) for a, b in pairwise(chain) if b - a > 1), default=1.0)
        for chain in (kept, *others)
    ]
    assert mendable[0] == max(mendable)


def test_a_chain_too_long_for_its_maximum_says_what_it_needs():
    views = views_of(pan(np.arange(0, 500, 20.0)))
    kept, needed = keep_joined(views, 5)
    assert len(kept) == 5 < needed
    whole, _ = keep_joined(views, needed)
    assert worst(views, whole) >= MIN_SHARE > worst(views, kept)


def test_a_cut_does_not_keep_the_rest_from_being_thinned_well():
    images = [*pan(np.arange(0, 100, 5.0), seed=0), *pan(np.arange(0, 100, 5.0), seed=1)]
    views = views_of(images)
    kept, needed = keep_joined(views, 16)
    assert {19, 20} <= set(kept)
    assert needed <= len(kept) <= 16
    assert sorted(views.along(kept))[1] > 0.5
