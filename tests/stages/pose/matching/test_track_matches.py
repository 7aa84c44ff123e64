import numpy as np

from stages.pose.matching.track_matches import MIN_SHARED_TRACKS, is_trackable, match_tracks
from stages.pose.tracks.track_table import Tracks
from tests.stages.pose.scene import CAMERA, frame_table


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


def test_few_shared_tracks_are_no_match():
    def shared(count):
        track_m = np.tile(np.arange(count), 2)
        return Tracks(2, track_m, np.repeat([0, 1], count), np.zeros((2 * count, 2), np.float32))

    assert list(match_tracks(shared(MIN_SHARED_TRACKS)).matches) == [(0, 1)]
    assert not match_tracks(shared(MIN_SHARED_TRACKS - 1)).matches


def test_flow_is_chained_through_sequences_only():
    assert is_trackable(frame_table(3, CAMERA, "given"))
    assert not is_trackable(frame_table(3, CAMERA, "given", kind="photos"))
