import numpy as np
import pytest

from mvrecon.geometry.rigid import inverse_rigid
from mvrecon.geometry.transfer import PixelTransfer
from stages.pose.moving.evidence import find_motion, sparse_inverse_depth
from stages.pose.moving.flow_to_view import FlowToView
from stages.pose.options import MovingOptions
from tests.stages.pose.scene import CAMERA, Relief, sideways_path

VIEW = 2
SHAPE = (CAMERA.height, CAMERA.width)


def flows_of(change):
    """Flow from the middle one of some frames; `change(flow, other)` alters them."""
    relief, poses = Relief(), sideways_path(5, 0.2)
    greys = [relief.image(pose).astype(np.float32) for pose in poses]
    grid = relief.grid().reshape(*SHAPE, 2)
    flows = []
    for other in (0, 1, 3, 4):
        pair = relief.flow(poses[VIEW], poses[other])
        flows.append(
            FlowToView(
                (grid + change(pair.forward_hw2, other)).astype(np.float32),
                pair.forward_confidence_hw,
                PixelTransfer.between(
                    CAMERA, inverse_rigid(poses[VIEW]), CAMERA, inverse_rigid(poses[other])
                ).single(),
                greys[other],
            )
        )
    return greys[VIEW], flows


def judge(change, sparse=0.2):
    grey, flows = flows_of(change)
    return find_motion(grey, flows, np.full(SHAPE, sparse, np.float32), 2.0, MovingOptions())


def test_exact_flow_of_a_rigid_scene_is_explained():
    found = judge(lambda flow, other: flow)
    assert found.odd_hw[20:-20, 40:-40].max() == 0
    assert found.moving_hw.max() == 0
    assert found.known_hw[20:-20, 40:-40].min() == pytest.approx(1.0)


def test_wrong_flow_is_odd_but_refutes_nothing():
    def wrong_inside(flow, other):
        changed = flow.copy()
        changed[60:100, 90:130, 1] += 12.0 * np.sign(other - VIEW)
        return changed

    found = judge(wrong_inside)
    assert found.odd_hw[70:90, 100:120].min() > 0.9
    # The picture is right at the rigid point and wrong at the flow's end.
    assert found.moving_hw[70:90, 100:120].max() == 0


def test_flow_that_does_not_fit_the_poses_at_all_tells_nothing():
    rng = np.random.default_rng(0)
    found = judge(lambda flow, other: flow + rng.normal(scale=15.0, size=flow.shape))
    assert found.known_hw.max() == 0
    assert found.moving_hw.max() == 0


def test_sparse_points_give_the_nearest_inverse_depth():
    pixels = np.array([[10.0, 10.0], [200.0, 100.0], [500.0, 10.0]])
    inverse = sparse_inverse_depth(pixels, np.array([2.0, 4.0, 8.0]), (120, 240))
    assert inverse[12, 12] == pytest.approx(0.5)
    assert inverse[110, 190] == pytest.approx(0.25)
    assert sparse_inverse_depth(np.zeros((0, 2)), np.zeros(0), (8, 8)).max() == 0
