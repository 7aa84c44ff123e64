import numpy as np

from stages.flow.config import PairOptions
from stages.flow.overlap import Features, candidate_pairs, detect_features, overlap_score
from tests.stages.flow.scenes import texture

OPTIONS = PairOptions()


def features_of(image: np.ndarray) -> Features:
    return detect_features(image, OPTIONS.features)


def views(count: int, seed: int, step: int = 40) -> list[np.ndarray]:
    """Windows that slide along one strip."""
    strip = texture(200, 260 + step * count, seed)
    return [np.ascontiguousarray(strip[:, step * i : step * i + 260]) for i in range(count)]


def test_overlap_falls_with_distance_and_is_none_between_scenes():
    near, middle, far = (features_of(image) for image in views(3, seed=5, step=90))
    other = features_of(views(1, seed=6)[0])
    assert overlap_score(near, middle, OPTIONS) > overlap_score(near, far, OPTIONS) >= 0
    assert overlap_score(near, other, OPTIONS) == 0


def test_images_without_features_overlap_with_nothing():
    blank = features_of(np.full((80, 80, 3), 90, np.uint8))
    other = features_of(views(1, seed=5)[0])
    assert overlap_score(blank, other, OPTIONS) == 0


def test_few_images_are_all_candidates():
    features = [features_of(image) for image in views(4, seed=5)]
    assert len(candidate_pairs(features, partners=4)) == 6


def test_candidates_of_many_images_are_of_the_same_scene():
    images = [image for seed in range(4) for image in views(5, seed=10 + seed)]
    pairs = candidate_pairs([features_of(image) for image in images], partners=1)
    assert len(pairs) <= 2 * len(images)
    same_scene = [first // 5 == second // 5 for first, second in pairs]
    assert np.mean(same_scene) > 0.8


def test_crowded_wrong_matches_are_no_overlap():
    """Matches of which no sample gives an epipolar geometry: OpenCV raises."""
    for seed in (37, 107):
        rng = np.random.default_rng(seed)
        count = int(rng.integers(12, 26))
        crowd = int(rng.integers(2, count))
        first_n2, second_n2 = rng.uniform(0, 300, (2, count, 2)).astype(np.float32)
        first_n2[:crowd] = first_n2[0] + rng.normal(0, 1, (crowd, 2))
        second_n2[:crowd] = second_n2[0] + rng.normal(0, 1, (crowd, 2))
        descriptors_nd = np.eye(count, 128, dtype=np.float32)
        score = overlap_score(
            Features(first_n2, descriptors_nd), Features(second_n2, descriptors_nd), OPTIONS
        )
        assert score == 0


def test_the_thresholds_decide_what_overlaps():
    first, second = (features_of(image) for image in views(2, seed=5))
    score = overlap_score(first, second, OPTIONS)
    assert 0 < overlap_score(first, second, PairOptions(ratio=0.4)) < score
    assert overlap_score(first, second, PairOptions(min_inliers=int(score) + 1)) == 0
    assert len(detect_features(views(1, seed=5)[0], 60).xy_n2) < len(first.xy_n2)
