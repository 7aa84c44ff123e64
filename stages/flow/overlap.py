"""How much photos overlap, from few descriptors of small images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from stages.flow.config import PairOptions
from stages.flow.pairs import Pair

# Longest side of the images that overlap is judged on: large enough for hundreds of keypoints.
OVERLAP_SIZE_PX = 480
# For each image so many others, nearest by global descriptor, are matched for each partner.
CANDIDATES_PER_PARTNER = 2
# Visual words of the global descriptor, learnt from the images themselves: few descriptors
# and few rounds are enough, as only the order of the nearest images matters.
WORDS = 32
WORD_TRAINING_DESCRIPTORS = 8000
WORD_ITERATIONS = 10
# Of MAGSAC: the fundamental matrix is needed for its inliers only.
RANSAC_CONFIDENCE, RANSAC_ITERATIONS = 0.999, 2000


@dataclass(frozen=True)
class Features:
    """Keypoints of one small image.

    Attributes:
        xy_n2: pixels of the small image.
        descriptors_nd: RootSIFT (Arandjelović and Zisserman, CVPR 2012).
    """

    xy_n2: NDArray[np.float32]
    descriptors_nd: NDArray[np.float32]


def detect_features(rgb_hw3: NDArray[np.uint8], count: int) -> Features:
    """SIFT, the `count` strongest, in an image that should be small."""
    grey_hw = cv2.cvtColor(rgb_hw3, cv2.COLOR_RGB2GRAY)
    keypoints, descriptors_nd = cv2.SIFT.create(count).detectAndCompute(grey_hw, None)
    if descriptors_nd is None:
        return Features(np.zeros((0, 2), np.float32), np.zeros((0, 128), np.float32))
    descriptors_nd = descriptors_nd / np.maximum(descriptors_nd.sum(axis=1, keepdims=True), 1e-6)
    xy_n2 = np.array([keypoint.pt for keypoint in keypoints], np.float32)
    return Features(xy_n2, np.sqrt(descriptors_nd).astype(np.float32))


def candidate_pairs(images: Sequence[Features], partners: int) -> list[Pair]:
    """Pairs worth matching: all of few images, else the nearest by global descriptor."""
    count = len(images)
    wanted = partners * CANDIDATES_PER_PARTNER
    if count - 1 <= wanted:
        return [(first, second) for second in range(count) for first in range(second)]
    descriptors_nd = _global_descriptors(images)
    similarity_nn = descriptors_nd @ descriptors_nd.T
    np.fill_diagonal(similarity_nn, -np.inf)
    nearest_nk = np.argsort(-similarity_nn, axis=1, kind="stable")[:, :wanted]
    pairs = {
        (min(image, int(other)), max(image, int(other)))
        for image, others in enumerate(nearest_nk)
        for other in others
    }
    return sorted(pairs)


def overlap_score(first: Features, second: Features, options: PairOptions) -> float:
    """Number of mutual matches that one epipolar geometry explains; 0 for hardly any."""
    matches_m2 = _mutual_matches(first.descriptors_nd, second.descriptors_nd, options.ratio)
    if len(matches_m2) < options.min_inliers:
        return 0.0
    try:
        _, inlier_m1 = cv2.findFundamentalMat(
            first.xy_n2[matches_m2[:, 0]],
            second.xy_n2[matches_m2[:, 1]],
            cv2.USAC_MAGSAC,
            options.inlier_px,
            RANSAC_CONFIDENCE,
            RANSAC_ITERATIONS,
        )
    except cv2.error:
        return 0.0  # OpenCV's way to say that no sample gave a model
    inliers = 0 if inlier_m1 is None else int(inlier_m1.sum())
    return float(inliers) if inliers >= options.min_inliers else 0.0


def _mutual_matches(
    first_nd: NDArray[np.float32], second_md: NDArray[np.float32], ratio: float
) -> NDArray[np.intp]:
    """Indices (matches, 2) of mutual nearest neighbours that pass Lowe's ratio test."""
    if len(first_nd) < 2 or len(second_md) < 2:
        return np.zeros((0, 2), np.intp)
    distance_nm = np.sqrt(np.maximum(2 - 2 * first_nd @ second_md.T, 0))
    best_n = distance_nm.argmin(axis=1)
    two_n2 = np.partition(distance_nm, 1, axis=1)[:, :2]
    rows = np.arange(len(first_nd))
    good_n = (two_n2[:, 0] < ratio * two_n2[:, 1]) & (distance_nm.argmin(axis=0)[best_n] == rows)
    return np.stack([rows[good_n], best_n[good_n]], axis=1)


def _global_descriptors(images: Sequence[Features]) -> NDArray[np.float32]:
    """VLAD (Jégou et al., CVPR 2010): normalized sums of residuals to visual words."""
    words_kd = _visual_words(np.concatenate([image.descriptors_nd for image in images]))
    vlads = []
    for image in images:
        nearest_n = (image.descriptors_nd @ words_kd.T).argmax(axis=1)
        residual_nd = image.descriptors_nd - words_kd[nearest_n]
        sums_kd = np.stack([residual_nd[nearest_n == k].sum(axis=0) for k in range(len(words_kd))])
        sums_kd /= np.maximum(np.linalg.norm(sums_kd, axis=1, keepdims=True), 1e-6)
        vlads.append(sums_kd.ravel() / max(float(np.linalg.norm(sums_kd)), 1e-6))
    return np.stack(vlads).astype(np.float32)


def _visual_words(descriptors_nd: NDArray[np.float32]) -> NDArray[np.float32]:
    """Spherical k-means, started from descriptors spread evenly through the images."""
    step = max(len(descriptors_nd) // WORD_TRAINING_DESCRIPTORS, 1)
    sample_nd = descriptors_nd[::step]
    words_kd = sample_nd[:: max(len(sample_nd) // WORDS, 1)][:WORDS].copy()
    for _ in range(WORD_ITERATIONS):
        nearest_n = (sample_nd @ words_kd.T).argmax(axis=1)
        for k in np.unique(nearest_n):
            mean_d = sample_nd[nearest_n == k].mean(axis=0)
            words_kd[k] = mean_d / max(float(np.linalg.norm(mean_d)), 1e-6)
    return words_kd
