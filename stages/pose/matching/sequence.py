"""Matches of a sequence: flow tracks, and SIFT where tracks do not reach."""

from __future__ import annotations

from dataclasses import replace

from mvrecon.artifacts.frames import FrameTable
from mvrecon.engine.stage import StageContext
from stages.pose.config import PoseConfig
from stages.pose.matching.features import Matched, Pair, combine
from stages.pose.matching.pairs import (
    believed_bridges,
    gap_pairs,
    loop_pairs,
    pieces,
    support_pairs,
)
from stages.pose.matching.photos import describe_key_frames, match_pairs, match_photos
from stages.pose.matching.track_matches import track_frames

# A sequence in more pieces than this, and than this part of its frames, is matched like photos.
MAX_PIECES = 3
MAX_PIECES_PART = 0.2


def match_sequence(context: StageContext[PoseConfig], table: FrameTable) -> Matched:
    """Flow tracks, SIFT across their gaps, and SIFT between frames that close a loop."""
    config, count = context.config, len(table.key_frames)
    tracked = track_frames(context, table)
    runs = pieces(count, tracked, round(config.bridges.gap * config.tracks.per_frame))
    looks_for_loops = config.loops.enabled and count > config.loops.min_distance
    if len(runs) == 1 and not looks_for_loops:
        return Matched(tracked, [], 1)
    if len(runs) > max(MAX_PIECES, MAX_PIECES_PART * count):
        photos = match_photos(context, table)
        return replace(photos, features=combine(tracked, photos.features), pieces=len(runs))
    descriptors = describe_key_frames(context, table)
    bridges = gap_pairs(runs, descriptors)
    loops: list[Pair] = []
    if looks_for_loops:
        found = loop_pairs(descriptors, config.loops)
        loops = [pair for pair in found if pair not in bridges and pair not in tracked.matches]
    support = support_pairs([*bridges, *loops], runs)
    described = match_pairs(context, table, sorted({*bridges, *loops, *support}), config.bridges)
    believed = believed_bridges(bridges, runs, described.matches.keys())
    loops = [
        pair
        for pair in {*bridges, *loops}.difference(believed, tracked.matches)
        if len(described.matches.get(pair, ())) >= config.loops.min_inliers
    ]
    described = described.only({*believed, *loops, *support})
    return Matched(combine(tracked, described), sorted(loops), len(runs))
