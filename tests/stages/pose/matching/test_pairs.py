import numpy as np

from stages.pose.matching.features import FeatureMatches
from stages.pose.matching.pairs import (
    all_pairs,
    believed_bridges,
    gap_pairs,
    loop_pairs,
    photo_pairs,
    pieces,
    support_pairs,
)
from stages.pose.options import LoopOptions


def chain(count, gaps=()):
    """Matches of neighbours, less those across some gaps."""
    rows = np.zeros((100, 2), np.int64)
    matches = {
        (a, a + step): rows
        for step in (1, 2)
        for a in range(count - step)
        if not any(a <= gap < a + step for gap in gaps)
    }
    return FeatureMatches((np.zeros((0, 2), np.float32),) * count, matches)


def circle(count, turns):
    """Descriptors of a camera that comes round again."""
    angle = np.linspace(0, 2 * np.pi * turns, count, endpoint=False)
    harmonics = [f(k * angle) for k in (1, 2, 3, 4) for f in (np.cos, np.sin)]
    descriptors = np.stack(harmonics, axis=1).astype(np.float32)
    return descriptors / np.linalg.norm(descriptors, axis=1, keepdims=True)


def test_pieces_end_at_gaps():
    assert pieces(10, chain(10), 50) == [range(10)]
    assert pieces(10, chain(10, gaps=(3, 7)), 50) == [range(4), range(4, 8), range(8, 10)]


def test_one_bad_frame_is_no_gap():
    features = chain(10)
    kept = {pair: rows for pair, rows in features.matches.items() if 5 not in pair}
    runs = pieces(10, FeatureMatches(features.keypoints, kept), 50)
    assert runs == [range(10)]


def test_both_sides_of_a_gap_are_matched_and_look_alikes():
    runs = [range(0, 10), range(10, 20)]
    descriptors = circle(20, 2)
    pairs = gap_pairs(runs, descriptors)
    assert (9, 10) in pairs
    assert any(second - first == 10 for first, second in pairs)
    assert all(first < 10 <= second for first, second in pairs)


def test_look_alikes_are_believed_only_where_no_gap_is_bridged():
    runs = [range(0, 10), range(10, 20), range(20, 30)]
    bridges = [(2, 17), (3, 25), (8, 11), (12, 27), (18, 21)]
    one_gap = believed_bridges(bridges, runs, {(2, 17), (3, 25), (8, 11), (12, 27)})
    assert one_gap == [(3, 25), (8, 11), (12, 27), (18, 21)]
    both_gaps = believed_bridges(bridges, runs, set(bridges))
    assert both_gaps == [(8, 11), (18, 21)]
    assert believed_bridges(bridges, runs, set()) == bridges


def test_no_gap_no_pairs():
    assert gap_pairs([range(20)], circle(20, 2)) == []


def test_every_bridged_frame_has_a_partner_on_its_side():
    runs = [range(0, 10), range(10, 20)]
    support = support_pairs([(8, 11), (9, 12), (2, 19)], runs)
    partners = {frame for pair in support for frame in pair}
    assert {8, 9, 2, 11, 12, 19} <= partners
    assert all((first < 10) == (second < 10) for first, second in support)


def test_loops_join_the_same_place_of_two_rounds():
    pairs = loop_pairs(circle(120, 2), LoopOptions())
    assert pairs
    # One round is 60 frames.
    assert all(min((b - a) % 60, (a - b) % 60) <= 6 for a, b in pairs)


def test_no_loops_on_a_way_out():
    assert loop_pairs(circle(120, 0.5), LoopOptions(min_distance=40)) == []


def test_photos_are_paired_with_look_alikes_linearly():
    pairs = photo_pairs(circle(60, 1), per_photo=4)
    assert len(pairs) <= 4 * 60
    assert all(min(b - a, 60 - b + a) <= 4 for a, b in pairs)
    assert len(all_pairs(6)) == 15
