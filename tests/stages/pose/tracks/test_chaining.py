from dataclasses import replace

import cv2
import numpy as np
import pytest

from mvrecon.artifacts.flow import FlowPair
from stages.pose.matching.features import FeatureMatches, combine
from stages.pose.matching.track_matches import match_tracks
from stages.pose.options import TrackOptions
from stages.pose.tracks.chaining import build_tracks
from stages.pose.tracks.corners import Grid, corners_by_cell
from stages.pose.tracks.following import follow_flow
from stages.pose.tracks.track_table import Tracks
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


def test_follow_flow_scales_about_pixel_edges(relief, poses, flows):
    xy = np.array([[60.3, 50.2], [120.0, 90.7], [90.0, 100.0]], np.float32)
    size = relief.camera.width, relief.camera.height
    full, full_ok = follow_flow(flows[0, 1], xy, size, OPTIONS)
    small, small_ok = follow_flow(shrink(flows[0, 1], 4), xy, size, OPTIONS)
    assert full_ok.all()
    assert small_ok.all()
    np.testing.assert_allclose(small, full, atol=0.05)


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


def test_no_corners_in_a_flat_image():
    flat = np.full((120, 160), 100, np.uint8)
    xy, cell = corners_by_cell(flat, Grid.of(160, 120, 100))
    assert len(xy) == len(cell) == 0


def test_one_corner_a_cell_inside_it(images):
    grid = Grid.of(240, 180, 100)
    xy, cell = corners_by_cell(images[0], grid)
    assert len(cell) > 60
    assert len(np.unique(cell)) == len(cell)
    np.testing.assert_array_equal(grid.cell_of(xy), cell)


def test_pairs_to_match_grow_linearly():
    def pairs_of(frames):
        track_m = np.tile(np.arange(30), frames)
        frame_m = np.repeat(np.arange(frames), 30)
        tracks = Tracks(frames, track_m, frame_m, np.zeros((len(track_m), 2), np.float32))
        return len(match_tracks(tracks).matches)

    assert pairs_of(200) - pairs_of(150) == pairs_of(150) - pairs_of(100)


def test_matches_join_the_same_track():
    tracks = Tracks(
        2,
        np.array([*range(0, 40), *range(10, 45)]),
        np.array([0] * 40 + [1] * 35),
        np.arange(150, dtype=np.float32).reshape(-1, 2),
    )
    features = match_tracks(tracks)
    rows = features.matches[0, 1]
    np.testing.assert_array_equal(rows[:, 0], np.arange(10, 40))
    np.testing.assert_array_equal(rows[:, 1], np.arange(30))


def test_combined_matches_still_point_at_their_keypoints():
    rng = np.random.default_rng(0)

    def features(count, pairs):
        keypoints = tuple(rng.normal(size=(count, 2)).astype(np.float32) for _ in range(3))
        matches = {pair: rng.permutation(count)[:8].reshape(4, 2) for pair in pairs}
        return FeatureMatches(keypoints, matches)

    first, second = features(10, [(0, 1)]), features(20, [(0, 1), (1, 2)])
    both = combine(first, second)
    for (image_1, image_2), rows in second.matches.items():
        found = both.matches[image_1, image_2][-4:]
        for side, image in enumerate((image_1, image_2)):
            np.testing.assert_array_equal(
                both.keypoints[image][found[:, side]], second.keypoints[image][rows[:, side]]
            )
    np.testing.assert_array_equal(both.matches[0, 1][:4], first.matches[0, 1])
    assert len(both.keypoints[0]) == 10 + 4


def test_the_largest_group_is_what_matches_hold_together():
    nothing = np.zeros((0, 2), np.float32)
    rows = np.zeros((5, 2), np.int64)
    matches = dict.fromkeys([(0, 1), (1, 4), (2, 3)], rows)
    assert FeatureMatches((nothing,) * 6, matches).largest_group() == 3
    assert FeatureMatches((), {}).largest_group() == 0
