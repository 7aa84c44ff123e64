"""How much view key frames share, and which to do without when there may be only so many.

The share of a pair's view is what flow is expected to match of it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from heapq import heapify, heappop, heappush
from itertools import pairwise

import numpy as np

from stages.frames.choosing.motion import GreyImage, MotionSince

# Key frames after each one that it is compared with, when some must be left out; a view is
# seldom still in sight after more.
SPAN = 12
# Of a pair of key frames, flow trusts about the share of corners that were followed from one to
# the other through those between, less this much for each diagonal that they moved.
FAR = 1.4
MIN_SHARE = 0.2  # with less, the poses of two key frames are not sure to be joined


class SharedViews:
    """Share of the view that each key frame has in common with the next ones, measured in a stream.

    Args:
        span: how many of the next ones; so many small images are held.
    """

    def __init__(self, span: int) -> None:
        self._span = span
        self._open: list[tuple[int, MotionSince]] = []
        self._shares: list[list[float]] = []

    def __len__(self) -> int:
        return len(self._shares)

    def add(self, grey_hw: GreyImage) -> None:
        """Compare the next key frame with those before it that are still in sight."""
        still_open = []
        for index, since in self._open:
            motion = since.measure(grey_hw)
            share = 0.0 if motion.lost else max(0.0, motion.overlap - FAR * motion.parallax)
            self._shares[index].append(share)
            if share >= MIN_SHARE and len(self._shares[index]) < self._span:
                still_open.append((index, since))
        self._open = [*still_open, (len(self), MotionSince(grey_hw))]
        self._shares.append([])

    def between(self, first: int, second: int) -> float:
        """Share of the view of one that a later one has; 0 if it is too far on."""
        row = self._shares[first]
        return row[second - first - 1] if second - first <= len(row) else 0.0

    def along(self, kept: Iterable[int]) -> list[float]:
        """Shares of neighbours among the key frames that are kept."""
        return [self.between(*pair) for pair in pairwise(kept)]

    def joined(self, index: int, least: float) -> list[int]:
        """Later ones that share at least so much; the next one always counts."""
        row = self._shares[index]
        far = [index + 1 + i for i, share in enumerate(row) if i > 0 and share >= least]
        return [index + 1, *far]

    def shares(self) -> list[float]:
        """All shares that join two key frames, each once, ascending."""
        return sorted({share for row in self._shares for share in row if share >= MIN_SHARE})


def keep_joined(views: SharedViews, most: int) -> tuple[list[int], int]:
    """Choose at most so many key frames that the worst neighbours share as much as can be.

    Args:
        views: of all key frames, more than `most`.
        most: 2 at least.

    Returns:
        Those to keep, in order, the first and the last among them; and how many are needed lest
        the chain tear. With fewer it is torn anywhere, and they are spread evenly.
    """
    shares = views.shares()

    def fits(i: int) -> bool:
        return len(_fewest(views, shares[-1 - i])) <= most

    # The less must be shared, the fewer are needed: the first that fits from above.
    first = bisect_left(range(len(shares)), True, key=fits)
    if first < len(shares):
        kept = _fill(views, _fewest(views, shares[-1 - first]), most)
        return kept, len(_fewest(views, shares[0]))
    needed = _fewest(views, MIN_SHARE)
    return spread(needed, most), len(needed)


def spread(items: Sequence[int], count: int) -> list[int]:
    """`count` items at even distances, the first and the last among them."""
    return [items[i] for i in np.linspace(0, len(items) - 1, count).round().astype(int)]


def _fewest(views: SharedViews, least: float) -> list[int]:
    """The shortest chain from the first to the last whose neighbours share at least `least`.

    Of equally short ones, that with the smallest sum of the squares of what is not shared.
    """
    count = len(views)
    costs = [(0, 0.0)] + [(count, 0.0)] * (count - 1)
    before = [0] * count
    for i in range(count - 1):
        length, lost = costs[i]
        for j in views.joined(i, least):
            cost = (length + 1, lost + (1 - views.between(i, j)) ** 2)
            if cost < costs[j]:
                costs[j], before[j] = cost, i
    chain = [count - 1]
    while chain[-1] > 0:
        chain.append(before[chain[-1]])
    return chain[::-1]


def _fill(views: SharedViews, chain: list[int], most: int) -> list[int]:
    """Put frames back where neighbours share least, up to so many."""
    kept = set(chain)
    gaps = [(views.between(a, b), a, b) for a, b in pairwise(chain)]
    heapify(gaps)
    while gaps and len(kept) < most:
        _, a, b = heappop(gaps)
        if b - a < 2:
            continue
        middle = max(range(a + 1, b), key=lambda i: min(views.between(a, i), views.between(i, b)))
        kept.add(middle)
        for start, end in ((a, middle), (middle, b)):
            heappush(gaps, (views.between(start, end), start, end))
    return sorted(kept)
