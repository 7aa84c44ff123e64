"""Matches of several inputs: each by itself, and joined by images that look alike."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise

import numpy as np
from numpy.typing import NDArray

from mvrecon.artifacts.frames import FrameTable
from mvrecon.engine.stage import StageContext
from stages.pose.config import PoseConfig
from stages.pose.matching.features import FeatureMatches, Matched, Pair, combine
from stages.pose.matching.pairs import support_pairs
from stages.pose.matching.photos import describe_key_frames, match_pairs, match_photos
from stages.pose.matching.sequence import match_sequence
from stages.pose.matching.track_matches import is_trackable

# Look-alikes of a frame that are tried in each other input, and frames of a sequence that are
# tried: neighbours see the same.
PARTNERS = 3
MOST_FRAMES = 60


def match_parts(context: StageContext[PoseConfig], table: FrameTable) -> Matched:
    """Flow tracks or SIFT inside each input, SIFT between look-alikes of two of them."""
    parts = table.by_part()
    matched = [
        (match_sequence if is_trackable(part) else match_photos)(context, part) for part in parts
    ]
    if len(parts) == 1:
        return matched[0]
    counts = [len(part.key_frames) for part in parts]
    starts = [0, *accumulate(counts)]
    inputs = [range(*bounds) for bounds in pairwise(starts)]
    inside = _one_after_the_other([one.features for one in matched], starts)
    across = across_pairs(describe_key_frames(context, table), inputs)
    support = support_pairs(across, inputs)
    described = match_pairs(context, table, sorted({*across, *support}), context.config.bridges)
    loops = [
        (first + start, second + start)
        for one, start in zip(matched, starts, strict=False)
        for first, second in one.loops
    ]
    pieces = sum(max(one.pieces, 1) for one in matched)
    return Matched(combine(inside, described), loops, pieces)


def across_pairs(descriptors: NDArray[np.float32], inputs: Sequence[range]) -> list[Pair]:
    """Each frame with those of each other input that look most like it.

    Args:
        descriptors: (n, d) unit vectors of all frames.
        inputs: rows of each.
    """
    pairs: set[Pair] = set()
    for number, first in enumerate(inputs):
        for other in (*inputs[:number], *inputs[number + 1 :]):
            rows = np.array(first)
            rows = rows[np.linspace(0, len(rows) - 1, min(len(rows), MOST_FRAMES)).astype(int)]
            likeness = descriptors[rows] @ descriptors[other.start : other.stop].T
            best = np.argsort(-likeness, axis=1, kind="stable")[:, :PARTNERS] + other.start
            for row, partners in zip(rows.tolist(), best.tolist(), strict=True):
                pairs.update((min(row, partner), max(row, partner)) for partner in partners)
    return sorted(pairs)


def _one_after_the_other(
    features: Sequence[FeatureMatches], starts: Sequence[int]
) -> FeatureMatches:
    """The features of all inputs, whose frames are numbered on."""
    return FeatureMatches(
        tuple(xy_k2 for one in features for xy_k2 in one.keypoints),
        {
            (first + start, second + start): rows
            for one, start in zip(features, starts, strict=False)
            for (first, second), rows in one.matches.items()
        },
    )
