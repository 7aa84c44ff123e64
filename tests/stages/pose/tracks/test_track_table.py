import numpy as np

from stages.pose.tracks.track_table import LiveTracks, Tracks

# Track 0 in frames 0 and 1, track 1 in frame 1 only, track 2 in all three.
TRACKS = Tracks(
    3,
    np.array([0, 2, 0, 1, 2, 2]),
    np.array([0, 0, 1, 1, 1, 2]),
    np.arange(12, dtype=np.float32).reshape(6, 2),
)


def test_tracks_of_a_frame_and_of_two():
    track, xy = TRACKS.in_frame(1)
    assert track.tolist() == [0, 1, 2]
    assert xy[:, 0].tolist() == [4, 6, 8]
    xy_1, xy_2 = TRACKS.shared(0, 1)
    assert xy_1[:, 0].tolist() == [0, 2]
    assert xy_2[:, 0].tolist() == [4, 8]
    assert len(TRACKS.in_frame(7)[0]) == 0


def test_long_tracks_are_kept_and_numbered_anew():
    assert TRACKS.lengths().tolist() == [2, 1, 3]
    long = TRACKS.keep(TRACKS.lengths() >= 2)
    assert long.track_m.tolist() == [0, 1, 0, 1, 1]
    assert long.frame_m.tolist() == [0, 0, 1, 1, 2]
    assert long.xy_m2[:, 0].tolist() == [0, 2, 4, 8, 10]
    nothing = TRACKS.keep(np.zeros(3, bool))
    assert nothing.lengths().tolist() == []


def test_live_tracks_begin_where_they_are_anchored_and_go():
    live = LiveTracks()
    xy = np.float32([[1, 2], [3, 4]])
    live.add(np.array([0, 1]), 0, xy, np.float32([np.inf, 9]))
    live.add(np.array([2]), 5, np.float32([[7, 8]]), np.float32([np.inf]))
    assert live.frame_n.tolist() == live.anchor_n.tolist() == [0, 0, 5]
    np.testing.assert_array_equal(live.warp_n22, np.tile(np.eye(2), (3, 1, 1)))
    live.keep(live.frame_n < 5)
    live.keep(np.array([1]))
    assert live.track_n.tolist() == [1]
    assert live.xy_n2.tolist() == live.anchor_xy_n2.tolist() == [[3, 4]]
    assert live.look_alike_px_n.tolist() == [9]
