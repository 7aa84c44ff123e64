import numpy as np

from stages.pose.mapping.loops import plausible_loops
from stages.pose.matching.features import FeatureMatches
from stages.pose.options import LoopOptions
from tests.stages.pose.scene import CAMERA
from tests.stages.pose.world.test_canonical import relief_model

MAX_SHIFT = LoopOptions().max_shift
ROWS = np.column_stack([np.arange(80)] * 2)


def test_a_true_loop_is_plausible_and_a_look_alike_is_not():
    model = relief_model()
    keypoints = [image.xy_k2.astype(np.float32) for image in model.images]
    true = FeatureMatches(tuple(keypoints), {(0, 4): ROWS})
    assert plausible_loops(model, true, [(0, 4)], MAX_SHIFT) == [(0, 4)]
    keypoints[4] = keypoints[4] + np.float32([0.25 * CAMERA.width, 0.0])
    repeated = FeatureMatches(tuple(keypoints), {(0, 4): ROWS})
    assert plausible_loops(model, repeated, [(0, 4)], MAX_SHIFT) == []


def test_loops_of_lost_frames_are_not_judged():
    model = relief_model()
    keypoints = tuple(image.xy_k2.astype(np.float32) for image in model.images)
    features = FeatureMatches((*keypoints, keypoints[0]), {(0, 5): ROWS})
    assert plausible_loops(model, features, [(0, 5), (1, 4)], MAX_SHIFT) == []


def test_the_bound_is_in_image_widths():
    model = relief_model()
    keypoints = [image.xy_k2.astype(np.float32) for image in model.images]
    keypoints[4] = keypoints[4] + np.float32([0.1 * CAMERA.width, 0.0])
    shifted = FeatureMatches(tuple(keypoints), {(0, 4): ROWS})
    assert plausible_loops(model, shifted, [(0, 4)], 0.11) == [(0, 4)]
    assert plausible_loops(model, shifted, [(0, 4)], 0.09) == []
