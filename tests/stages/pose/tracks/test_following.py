from dataclasses import replace

import numpy as np
import pytest

from mvrecon.artifacts.flow import FlowPair
from stages.pose.options import TrackOptions
from stages.pose.tracks.following import follow_flow
from tests.stages.pose.scene import Relief, sideways_path
from tests.stages.pose.tracks.test_chaining import shrink

OPTIONS = TrackOptions()
SIZE = (40, 30)
XY = np.array([[10.0, 10.0], [20.0, 15.0], [37.0, 20.0]], np.float32)


def test_follow_flow_scales_about_pixel_edges():
    relief, (first, second) = Relief(), sideways_path(2)
    flow = relief.flow(first, second)
    xy = np.array([[60.3, 50.2], [120.0, 90.7], [90.0, 100.0]], np.float32)
    size = relief.camera.width, relief.camera.height
    full, full_ok = follow_flow(flow, xy, size, OPTIONS)
    small, small_ok = follow_flow(shrink(flow, 4), xy, size, OPTIONS)
    assert full_ok.all()
    assert small_ok.all()
    np.testing.assert_allclose(small, full, atol=0.05)


def shifted(x, y, back=-1.0):
    """Flow that moves everything by the same."""
    forward = np.tile(np.float32([x, y]), (30, 40, 1))
    sure = np.ones((30, 40), np.float32)
    return FlowPair(forward, back * forward, sure, sure)


def test_points_go_where_the_flow_says_and_not_outside():
    there, good = follow_flow(shifted(5.0, -2.0), XY, SIZE, OPTIONS)
    np.testing.assert_allclose(there, XY + np.float32([5.0, -2.0]), atol=1e-5)
    assert good.tolist() == [True, True, False]


def test_a_point_has_to_come_back():
    within = shifted(5.0, 0.0, back=-1.15)
    beyond = shifted(5.0, 0.0, back=-1.25)
    assert follow_flow(within, XY[:2], SIZE, OPTIONS)[1].all()
    assert not follow_flow(beyond, XY[:2], SIZE, OPTIONS)[1].any()
    patient = OPTIONS.model_copy(update={"max_round_trip": 2.0})
    assert follow_flow(beyond, XY[:2], SIZE, patient)[1].all()


@pytest.mark.parametrize("side", ["forward_confidence_hw", "backward_confidence_hw"])
def test_flow_has_to_be_sure_both_ways(side):
    pair = shifted(2.0, 0.0)
    unsure = replace(pair, **{side: np.full((30, 40), 0.29, np.float32)})
    assert not follow_flow(unsure, XY[:2], SIZE, OPTIONS)[1].any()
