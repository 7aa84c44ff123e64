import numpy as np

from stages.pose.moving.segmentation import segment
from stages.pose.options import MovingOptions

OPTIONS = MovingOptions()
SURE = np.ones((180, 240), np.float32)


def test_thin_evidence_is_no_moving_thing():
    moving = np.zeros((180, 240), np.float32)
    moving[:, 100:106] = 1.0
    assert not segment(moving, moving, SURE, OPTIONS).any()
    moving[60:100, 90:140] = 1.0
    assert segment(moving, moving, SURE, OPTIONS)[70:90, 100:130].all()


def test_a_thing_grows_into_odd_flow_but_not_far():
    moving, odd = (np.zeros((180, 240), np.float32) for _ in range(2))
    moving[60:100, 60:100] = 1.0
    odd[60:100, 60:200] = 1.0
    mask = segment(moving, odd, SURE, OPTIONS)
    assert mask[70:90, 60:105].all()
    assert not mask[:, 150:].any()


def test_all_moving_is_not_believed():
    everywhere = np.ones((180, 240), np.float32)
    assert not segment(everywhere, everywhere, SURE, OPTIONS).any()


def test_small_things_are_left_out_and_small_holes_filled():
    moving = np.zeros((180, 240), np.float32)
    moving[20:60, 20:60] = 1.0
    moving[36:44, 36:44] = 0.0
    moving[120:132, 120:132] = 1.0
    larger = OPTIONS.model_copy(update={"min_area": 0.01})
    assert segment(moving, moving, SURE, OPTIONS)[36:44, 36:44].all()
    assert segment(moving, moving, SURE, OPTIONS)[122:130, 122:130].all()
    assert not segment(moving, moving, SURE, larger)[110:140, 110:140].any()
    assert segment(moving, moving, SURE, larger)[30:50, 30:50].all()


def test_much_that_moves_is_believed_only_before_what_is_seen_to_be_still():
    moving = np.zeros((180, 240), np.float32)
    moving[:, :100] = 1.0
    assert segment(moving, moving, SURE, OPTIONS)[:, :90].all()
    # Of the rest, flow tells little, or poses do not explain it.
    unknown = np.where(moving > 0, SURE, np.float32(0.3))
    assert not segment(moving, moving, unknown, OPTIONS).any()
    odd = np.maximum(moving, np.float32(0.5))
    assert not segment(moving, odd, SURE, OPTIONS).any()
    # A small thing before the same is.
    moving[:, 40:] = 0.0
    assert segment(moving, moving, np.where(moving > 0, SURE, np.float32(0.3)), OPTIONS).any()
