"""Flow tracks through the key frames, and the matches that they give."""

from __future__ import annotations

import numpy as np

from mvrecon.artifacts.flow import PAIRS_ITEM, FlowPair, load_pairs, pair_item
from mvrecon.artifacts.frames import FrameTable
from mvrecon.engine.stage import StageContext
from mvrecon.engine.threads import single_opencv_thread
from stages.pose.config import PoseConfig
from stages.pose.images import load_grey
from stages.pose.matching.features import FeatureMatches, MatchRows, Pair
from stages.pose.tracks.chaining import build_tracks
from stages.pose.tracks.track_table import Tracks

# Fewer shared tracks than this say little about two frames.
MIN_SHARED_TRACKS = 20
# Frames between those that are matched: wide steps hold the parallax. The number of pairs grows
# linearly with that of the frames.
MATCH_STEPS = (1, 2, 4, 7, 11, 16, 24, 36)


def is_trackable(table: FrameTable) -> bool:
    """Whether flow can be chained: a sequence of images of one size."""
    cameras = map(table.camera_of, table.key_frames)
    return table.kind == "sequence" and len({(c.width, c.height) for c in cameras}) == 1


def track_frames(context: StageContext[PoseConfig], table: FrameTable) -> FeatureMatches:
    """Matches by tracks of the flow through all key frames, which have to be of one size."""
    names = [frame.name for frame in table.key_frames]
    index = {name: number for number, name in enumerate(names)}
    flow = context.inputs["flow"]
    sources: dict[int, list[int]] = {}
    for first, second in load_pairs(flow.path(PAIRS_ITEM)):
        if second not in index:
            continue  # of another input
        sources.setdefault(index[second], []).append(index[first])

    def load_pairs_to(frame: int) -> dict[int, FlowPair]:
        return {
            source: FlowPair.load(flow.path(pair_item(names[source], names[frame])))
            for source in sources.get(frame, [])
        }

    camera = table.camera_of(table.key_frames[0])
    with single_opencv_thread():
        tracks = build_tracks(
            context.track(range(len(names)), "frame"),
            lambda frame: load_grey(context, names[frame]),
            load_pairs_to,
            (camera.width, camera.height),
            context.config.tracks,
        )
        return match_tracks(tracks)


def match_tracks(tracks: Tracks) -> FeatureMatches:
    """Matches between frames at fixed steps that share enough tracks."""
    seen = [tracks.in_frame(frame) for frame in range(tracks.frame_count)]
    matches: dict[Pair, MatchRows] = {}
    for first in range(tracks.frame_count):
        for second in (first + step for step in MATCH_STEPS):
            if second >= tracks.frame_count:
                break
            _, row_1, row_2 = np.intersect1d(
                seen[first][0], seen[second][0], assume_unique=True, return_indices=True
            )
            if len(row_1) >= MIN_SHARED_TRACKS:
                matches[first, second] = np.stack([row_1, row_2], axis=1)
    return FeatureMatches(tuple(xy for _, xy in seen), matches)
