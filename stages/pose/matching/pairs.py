"""Which images are worth matching by their appearance."""

from __future__ import annotations

import itertools
from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from stages.pose.matching.features import FeatureMatches, Pair
from stages.pose.options import LoopOptions

FloatArray = NDArray[np.float32]

# Frames on each side of a gap that are matched with each other.
GAP_REACH = 3
# Look-alikes tried between a piece of the sequence and all that is outside it [pairs]; more of
# one frame than of others would all fail together.
PAIRS_PER_PIECE = 8
PAIRS_PER_FRAME = 2
# Partners of a matched frame among the matched frames of its own run, how far they may be, and
# how far the partner is of one that is alone [frames].
SUPPORT_PARTNERS = 3
SUPPORT_REACH = 12
LONE_STEP = 3
# A place seen again looks at least half as alike as neighbours do.
LOOP_LIKENESS = 0.5


def pieces(frame_count: int, matches: FeatureMatches, min_shared: int) -> list[range]:
    """Runs of frames whose neighbours share enough tracks."""
    starts = [0]
    for frame in range(1, frame_count):
        # A track may leap over one bad frame.
        links = ((frame - 1, frame), (frame - 1, frame + 1), (frame - 2, frame))
        if max(len(matches.matches.get(pair, ())) for pair in links) < min_shared:
            starts.append(frame)
    return [range(a, b) for a, b in zip(starts, [*starts[1:], frame_count], strict=True)]


def gap_pairs(runs: list[range], descriptors: FloatArray) -> list[Pair]:
    """Pairs that may bridge the gaps: both sides of each, and look-alikes elsewhere."""
    pairs: set[Pair] = set()
    for left, right in itertools.pairwise(runs):
        for first in left[-GAP_REACH:]:
            pairs.update((first, second) for second in right[:GAP_REACH])
    for run in runs if len(runs) > 1 else []:
        inside = np.arange(run.start, run.stop)
        outside = np.setdiff1d(np.arange(len(descriptors)), inside)
        likeness = descriptors[inside] @ descriptors[outside].T
        pairs.update(_best(likeness, inside, outside, PAIRS_PER_PIECE))
    return sorted(pairs)


def believed_bridges(
    bridges: list[Pair], runs: list[range], matched: Collection[Pair]
) -> list[Pair]:
    """Bridges that a model may be built on before there is one to judge them by.

    Those are the two sides of each gap; and look-alikes, which may be a repeated pattern, only
    where no gap between their runs is bridged from side to side.

    Args:
        bridges: as `gap_pairs` gave them.
        runs: of frames joined by tracks.
        matched: pairs that have matches.
    """
    run_of = {frame: number for number, run in enumerate(runs) for frame in run}
    sides = {
        (first, second)
        for first, second in bridges
        if run_of[second] == run_of[first] + 1
        and first in runs[run_of[first]][-GAP_REACH:]
        and second in runs[run_of[second]][:GAP_REACH]
    }
    bridged = {run_of[first] for first, second in sides.intersection(matched)}
    group = np.cumsum([0] + [number not in bridged for number in range(len(runs) - 1)])
    return [
        pair
        for pair in bridges
        if pair in sides or group[run_of[pair[0]]] != group[run_of[pair[1]]]
    ]


def support_pairs(pairs: list[Pair], runs: list[range]) -> list[Pair]:
    """Pairs within the runs, so that what is matched across a gap is seen twice on each side.

    A feature that only one frame of a side has cannot be triangulated there.

    Args:
        pairs: matched across gaps or loops.
        runs: of frames joined by tracks.
    """
    used = sorted({frame for pair in pairs for frame in pair})
    support: set[Pair] = set()
    for run in runs:
        inside = [frame for frame in used if frame in run]
        for place, frame in enumerate(inside):
            later = inside[place + 1 : place + 1 + SUPPORT_PARTNERS]
            near = [other for other in later if other - frame <= SUPPORT_REACH]
            support.update((frame, other) for other in near)
            alone = not near and (place == 0 or frame - inside[place - 1] > SUPPORT_REACH)
            if alone and len(run) > 1:
                last = run.stop - 1
                other = min(frame + LONE_STEP, last) if frame < last else frame - 1
                support.add((min(frame, other), max(frame, other)))
    return sorted(support)


def loop_pairs(descriptors: FloatArray, options: LoopOptions) -> list[Pair]:
    """Pairs of frames far apart in time that look about as alike as neighbours do.

    Args:
        descriptors: (n, d) unit vectors.
        options: which frames are compared.
    """
    frames = np.arange(0, len(descriptors), options.every)
    if len(frames) < 2:
        return []
    likeness = descriptors[frames] @ descriptors[frames].T
    threshold = LOOP_LIKENESS * float(np.median(np.diagonal(likeness, 1)))
    apart = np.abs(frames[:, None] - frames[None, :]) >= options.min_distance
    likeness = np.where(apart & (likeness > threshold), likeness, -1.0)
    pairs: set[Pair] = set()
    for row, frame in enumerate(frames.tolist()):
        for column in np.argsort(-likeness[row], kind="stable")[: options.partners]:
            if likeness[row, column] > 0:
                other = int(frames[column])
                pairs.add((min(frame, other), max(frame, other)))
    return sorted(pairs)


def photo_pairs(descriptors: FloatArray, per_photo: int) -> list[Pair]:
    """Each photo with those that look most like it."""
    likeness = descriptors @ descriptors.T
    np.fill_diagonal(likeness, -2.0)
    nearest = np.argsort(-likeness, axis=1, kind="stable")[:, :per_photo]
    return sorted(
        {
            (min(i, int(j)), max(i, int(j)))
            for i in range(len(nearest))
            for j in nearest[i]
            if i != j
        }
    )


def all_pairs(count: int) -> list[Pair]:
    """Every photo with every other."""
    return [(first, second) for first in range(count) for second in range(first + 1, count)]


def _best(
    likeness: FloatArray, rows: NDArray[np.int64], columns: NDArray[np.int64], count: int
) -> list[Pair]:
    """Pairs by falling likeness, each row and each column at most `PAIRS_PER_FRAME` times."""
    chosen: list[Pair] = []
    used: dict[tuple[str, int], int] = {}
    for flat in np.argsort(-likeness, axis=None, kind="stable"):
        row, column = divmod(int(flat), likeness.shape[1])
        keys = ("row", row), ("column", column)
        if max(used.get(key, 0) for key in keys) >= PAIRS_PER_FRAME:
            continue
        for key in keys:
            used[key] = used.get(key, 0) + 1
        first, second = sorted((int(rows[row]), int(columns[column])))
        chosen.append((first, second))
        if len(chosen) == count:
            break
    return chosen
