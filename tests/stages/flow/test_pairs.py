from stages.flow.pairs import partner_pairs, sequence_pairs


def test_each_frame_meets_those_ahead():
    assert sequence_pairs(4, (1, 2)) == [(0, 1), (0, 2), (1, 2), (1, 3), (2, 3)]


def test_pairs_grow_linearly_with_the_frames():
    assert len(sequence_pairs(1000, (1, 2, 4))) == 999 + 998 + 996


def test_too_short_for_every_offset():
    assert sequence_pairs(3, (5,)) == [(0, 2)]
    assert sequence_pairs(1, (1,)) == []


def test_the_best_partners_win():
    overlaps = {(0, 1): 50.0, (0, 2): 40.0, (0, 3): 30.0, (1, 2): 90.0, (2, 3): 20.0}
    assert partner_pairs(overlaps, 4, 1) == [(0, 1), (0, 3), (1, 2)]


def test_two_groups_stay_linked_by_their_best_pair():
    overlaps = {(0, 1): 90.0, (2, 3): 80.0, (1, 2): 15.0, (0, 3): 14.0}
    assert (1, 2) in partner_pairs(overlaps, 4, 1)
    assert (0, 3) not in partner_pairs(overlaps, 4, 1)


def test_photos_without_overlap_stay_alone():
    assert partner_pairs({(0, 1): 20.0}, 3, 2) == [(0, 1)]
