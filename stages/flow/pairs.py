"""Which key frames are paired."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

Pair = tuple[int, int]


def sequence_pairs(frames: int, offsets: Sequence[int]) -> list[Pair]:
    """Each frame with those `offsets` ahead: short ones for tracks, long ones for depth.

    A sequence too short for the shortest offset is paired end to end.

    Returns:
        Sorted pairs of indices, first < second; at most `frames · len(offsets)`.
    """
    pairs = {(first, first + offset) for offset in offsets for first in range(frames - offset)}
    if not pairs and frames > 1:
        pairs = {(0, frames - 1)}
    return sorted(pairs)


def partner_pairs(overlaps: Mapping[Pair, float], frames: int, partners: int) -> list[Pair]:
    """The best partners of each image, and the links that keep the images together.

    The strongest spanning forest is part of the result, because a group of images that are
    each other's best partners would otherwise come apart from the rest.

    Args:
        overlaps: pair (first < second) → score above 0.
        frames: number of images.
        partners: taken for each image.

    Returns:
        Sorted pairs; at most `frames · (partners + 1)`.
    """
    by_score = sorted(overlaps, key=lambda pair: (-overlaps[pair], pair))
    chosen = set(_spanning_forest(by_score, frames))
    for image in range(frames):
        chosen.update([pair for pair in by_score if image in pair][:partners])
    return sorted(chosen)


def _spanning_forest(by_score: Iterable[Pair], frames: int) -> list[Pair]:
    """Kruskal's algorithm."""
    parent = list(range(frames))

    def root_of(image: int) -> int:
        while parent[image] != image:
            parent[image] = parent[parent[image]]
            image = parent[image]
        return image

    forest = []
    for pair in by_score:
        first, second = (root_of(image) for image in pair)
        if first != second:
            parent[first] = second
            forest.append(pair)
    return forest
