import numpy as np

from stages.pose.matching.features import FeatureMatches, combine


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


def test_matched_pixels_and_chosen_pairs():
    keypoints = tuple(np.arange(10, dtype=np.float32).reshape(5, 2) + 100 * i for i in range(3))
    rows = np.array([[4, 0], [2, 3]])
    features = FeatureMatches(keypoints, {(0, 2): rows, (1, 2): rows})
    xy_1, xy_2 = features.pixels((0, 2))
    np.testing.assert_array_equal(xy_1, [[8, 9], [4, 5]])
    np.testing.assert_array_equal(xy_2, [[200, 201], [206, 207]])
    assert xy_1.dtype == xy_2.dtype == np.float64
    assert list(features.only({(1, 2), (0, 1)}).matches) == [(1, 2)]
    assert FeatureMatches.nothing(4).largest_group() == 1
