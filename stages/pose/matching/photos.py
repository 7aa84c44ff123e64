"""Matches between images that no flow joins, by SIFT: all pairs, or those that look alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import cv2
import numpy as np
from numpy.typing import NDArray

from mvrecon.artifacts.frames import FrameTable
from mvrecon.engine.stage import StageContext
from mvrecon.engine.threads import single_opencv_thread
from stages.pose.config import PoseConfig, error_px
from stages.pose.images import load_grey, stored_image
from stages.pose.matching.features import FeatureMatches, Matched, Pair, mapping_problem
from stages.pose.matching.pairs import all_pairs, photo_pairs
from stages.pose.matching.sift import SiftSettings, match_sift
from stages.pose.options import SiftOptions

# What tells places apart is seen in small images already: longest side, and features of one.
THUMBNAIL_PX = 320
FEATURES = 300
# Words of the vocabulary: a descriptor has 128 times as many numbers.
WORDS = 64
# Bounds of the time that learning the words takes; k-means changes little after ten rounds.
TRAINING_DESCRIPTORS = 20000
ITERATIONS = 10
SEED = 0


def match_photos(context: StageContext[PoseConfig], table: FrameTable) -> Matched:
    """SIFT between all photos, or between look-alikes if there are many."""
    options, count = context.config.photos, len(table.key_frames)
    if count <= options.exhaustive:
        pairs = all_pairs(count)
    else:
        pairs = photo_pairs(describe_key_frames(context, table), options.partners)
    return Matched(match_pairs(context, table, pairs, options), [], 0)


def describe_key_frames(
    context: StageContext[PoseConfig], table: FrameTable
) -> NDArray[np.float32]:
    """Unit vectors (n, d) whose scalar product measures how alike two key frames look."""
    loaders: list[Callable[[], NDArray[np.uint8]]] = [
        partial(load_grey, context, frame.name) for frame in table.key_frames
    ]
    with single_opencv_thread():
        return describe_images(loaders)


def match_pairs(
    context: StageContext[PoseConfig], table: FrameTable, pairs: list[Pair], options: SiftOptions
) -> FeatureMatches:
    """Verified SIFT matches of some pairs of key frames."""
    nothing = FeatureMatches.nothing(len(table.key_frames))
    if not pairs:
        return nothing
    first = table.key_frames[0]
    max_error_px = error_px(context.config.mapping.max_error, table.camera_of(first))
    return context.isolated(
        match_sift,
        stored_image(context, first.name).parent,
        mapping_problem(context, table, nothing),
        pairs,
        context.out.scratch(),
        SiftSettings(options, max_error_px, context.workers),
    )


FloatArray = NDArray[np.float32]


def describe_images(grays: Sequence[Callable[[], NDArray[np.uint8]]]) -> FloatArray:
    """One unit vector (n, d) for each image; the scalar product measures likeness.

    H. Jégou et al., "Aggregating local descriptors into a compact image representation",
    CVPR 2010 (VLAD), over RootSIFT (R. Arandjelović, A. Zisserman, CVPR 2012), with words
    learned from these images.

    Args:
        grays: loaders of the images, called once each.
    """
    locals_by_image = [_root_sift(load()) for load in grays]
    words = _learn_words(np.concatenate(locals_by_image))
    return np.stack([_vlad(descriptors, words) for descriptors in locals_by_image])


def _root_sift(gray_hw: NDArray[np.uint8]) -> FloatArray:
    scale = min(1.0, THUMBNAIL_PX / max(gray_hw.shape))
    small_hw = cv2.resize(gray_hw, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    sift = cv2.SIFT.create(nfeatures=FEATURES)
    descriptors = sift.detectAndCompute(small_hw, np.empty(0, np.uint8))[1]
    if descriptors is None:
        return np.zeros((0, 128), np.float32)
    sums = np.maximum(descriptors.sum(axis=1, keepdims=True), 1e-6)
    return np.asarray(np.sqrt(descriptors / sums), np.float32)


def _nearest(descriptors: FloatArray, words: FloatArray) -> NDArray[np.int64]:
    # For unit descriptors |d - w|² = 1 - 2 d·w + |w|².
    distance = (words**2).sum(axis=1) - 2.0 * descriptors @ words.T
    return np.asarray(distance.argmin(axis=1))


def _learn_words(descriptors: FloatArray) -> FloatArray:
    """k-means with random descriptors as a start."""
    rng = np.random.default_rng(SEED)
    if len(descriptors) > TRAINING_DESCRIPTORS:
        descriptors = descriptors[rng.permutation(len(descriptors))[:TRAINING_DESCRIPTORS]]
    words = descriptors[rng.permutation(len(descriptors))[:WORDS]].copy()
    for _ in range(ITERATIONS if len(words) else 0):
        nearest = _nearest(descriptors, words)
        for word in range(len(words)):
            members = descriptors[nearest == word]
            if len(members):
                words[word] = members.mean(axis=0)
    return words


def _vlad(descriptors: FloatArray, words: FloatArray) -> FloatArray:
    """Sum of differences to the nearest word, each word and the whole normalised."""
    sums = np.zeros((WORDS, 128), np.float32)
    if len(descriptors):
        nearest = _nearest(descriptors, words)
        np.add.at(sums, nearest, descriptors - words[nearest])
    norms = np.linalg.norm(sums, axis=1, keepdims=True)
    flat = (sums / np.maximum(norms, 1e-6)).ravel()
    return np.asarray(flat / max(float(np.linalg.norm(flat)), 1e-6))
