from dataclasses import replace

import cv2
import numpy as np
import pytest

from mvrecon.artifacts.flow import FlowPair
from stages.pose.options import TrackOptions
from stages.pose.tracks.chaining import build_tracks
from tests.stages.pose.scene import Relief, sideways_path

FRAMES = 10
OPTIONS = TrackOptions(per_frame=200)


@pytest.fixture(scope="module")
def relief():
    return Relief()


@pytest.fixture(scope="module")
def poses():
    return sideways_path(FRAMES)


@pytest.fixture(scope="module")
def images(relief, poses):
    return [relief.image(pose) for pose in poses]


@pytest.fixture(scope="module")
def flows(relief, poses):
    return relief.flows(poses)


def track(images, flows, options=OPTIONS):
    def pairs_to(frame):
        return {first: pair for (first, second), pair in flows.items() if second == frame}

    size = images[0].shape[1], images[0].shape[0]
    return build_tracks(range(len(images)), lambda i: images[i], pairs_to, size, options)


def errors_px(relief, poses, tracks, step):
    """Distance of every track from where its point of `step` frames before is now."""
    errors = []
    for first in range(tracks.frame_count - step):
        xy_1, xy_2 = tracks.shared(first, first + step)
        truth = relief.project(poses[first + step], relief.points(poses[first], xy_1.astype(float)))
        errors.append(np.linalg.norm(truth - xy_2, axis=1))
    return np.concatenate(errors)


def shrink(pair: FlowPair, factor: int) -> FlowPair:
    def half(values, scale=1.0):
        size = values.shape[1] // factor, values.shape[0] // factor
        return cv2.resize(values, size, interpolation=cv2.INTER_AREA) * np.float32(scale)

    return FlowPair(
        half(pair.forward_hw2, 1 / factor),
        half(pair.backward_hw2, 1 / factor),
        half(pair.forward_confidence_hw),
        half(pair.backward_confidence_hw),
    )


def test_tracks_follow_the_surface(relief, poses, images, flows):
    tracks = track(images, flows)
    errors = errors_px(relief, poses, tracks, 6)
    assert len(errors) > 200
    assert np.median(errors) < 0.15
    assert np.quantile(errors, 0.95) < 0.5


def test_flow_of_a_smaller_size_gives_the_same_places(relief, poses, images, flows):
    tracks = track(images, {pair: shrink(flow, 2) for pair, flow in flows.items()})
    errors = errors_px(relief, poses, tracks, 3)
    assert len(errors) > 300
    assert np.median(errors) < 0.15


def test_patches_repair_noisy_flow(relief, poses, images, flows):
    rng = np.random.default_rng(0)

    def noisy(pair):
        # A smooth error that the forward–backward check cannot see.
        error = rng.uniform(-0.6, 0.6, 2).astype(np.float32)
        return replace(
            pair, forward_hw2=pair.forward_hw2 + error, backward_hw2=pair.backward_hw2 - error
        )

    tracks = track(images, {pair: noisy(flow) for pair, flow in flows.items()})
    errors = errors_px(relief, poses, tracks, 6)
    assert np.median(errors) < 0.15


def test_tracks_are_long_and_spread(images, flows):
    tracks = track(images, flows)
    per_frame = np.bincount(tracks.frame_m, minlength=FRAMES)
    assert per_frame.min() > 60
    assert np.quantile(tracks.lengths(), 0.5) >= 5
    _, xy = tracks.in_frame(FRAMES // 2)
    quadrant = (xy[:, 0] > 120).astype(int) * 2 + (xy[:, 1] > 90)
    assert np.bincount(quadrant, minlength=4).min() > 0.1 * len(xy)


def test_unsure_flow_ends_tracks(images, flows):
    unsure = {
        pair: replace(flow, forward_confidence_hw=flow.forward_confidence_hw * 0.1)
        for pair, flow in flows.items()
    }
    assert len(track(images, unsure).lengths()) == 0


def test_inconsistent_flow_ends_tracks(images, flows):
    wrong = {
        pair: replace(flow, backward_hw2=flow.backward_hw2 + 3.0) for pair, flow in flows.items()
    }
    assert len(track(images, wrong).lengths()) == 0


def test_a_longer_pair_contradicts_a_wrong_chain(images, flows):
    # The chain from 4 to 5 slips by 8 pixels, both ways; the pairs across it do not.
    slipped = {
        pair: replace(
            flow, forward_hw2=flow.forward_hw2 + 8.0, backward_hw2=flow.backward_hw2 - 8.0
        )
        if pair == (4, 5)
        else flow
        for pair, flow in flows.items()
    }
    checked = track(images, slipped)
    right = track(images, flows)
    assert len(checked.shared(4, 5)[0]) < 0.3 * len(right.shared(4, 5)[0])


def test_long_flow_that_jumped_to_a_look_alike_ends_no_tracks(relief, poses, images, flows):
    def jump(pair):
        return FlowPair(
            pair.forward_hw2 + np.float32([-30, 0]),
            pair.backward_hw2 + np.float32([30, 0]),
            pair.forward_confidence_hw,
            pair.backward_confidence_hw,
        )

    jumped = {
        (first, second): jump(pair) if second - first > 1 else pair
        for (first, second), pair in flows.items()
    }
    tracks = track(images, jumped)
    assert len(tracks.lengths()) > 0.7 * len(track(images, flows).lengths())
    assert np.median(tracks.lengths()) >= 4
    assert np.quantile(errors_px(relief, poses, tracks, 2), 0.9) < 0.5


def test_tracks_leap_over_a_frame_without_flow(images, flows):
    without = {pair: flow for pair, flow in flows.items() if 5 not in pair}
    tracks = track(images, without)
    assert len(tracks.shared(4, 6)[0]) > 50
    assert len(tracks.in_frame(5)[0]) == 0
