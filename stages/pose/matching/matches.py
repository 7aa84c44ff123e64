"""Matches of all kinds for one input: flow tracks, and SIFT where tracks do not reach."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from mvrecon.artifacts.flow import PAIRS_ITEM, FlowPair, load_pairs, pair_item
from mvrecon.artifacts.frames import FrameTable, image_item
from mvrecon.engine.stage import StageContext
from mvrecon.engine.threads import single_opencv_thread
from stages.pose.config import PoseConfig
from stages.pose.matching.pairs import (
    all_pairs,
    believed_bridges,
    gap_pairs,
    loop_pairs,
    photo_pairs,
    pieces,
    support_pairs,
)
from stages.pose.matching.problem import (
    FeatureMatches,
    MappingProblem,
    Pair,
    combine,
    match_tracks,
)
from stages.pose.matching.retrieval import describe_images
from stages.pose.matching.sift import SiftOptions, match_sift
from stages.pose.tracks.chaining import build_tracks
from stages.pose.tracks.following import TrackOptions
from stages.pose.tracks.tracks import Tracks

# Neighbours that share fewer tracks than this part of those wanted are a gap.
GAP_PART = 0.12
# A sequence in more pieces than this is matched like photos.
MAX_PIECES = 3
MAX_PIECES_PART = 0.2
BRIDGE_FEATURES = 2048
BRIDGE_MIN_INLIERS = 20
PHOTO_MIN_INLIERS = 15
LOOP_MIN_DISTANCE = 25
LOOP_EVERY = 3
LOOP_PARTNERS = 2


@dataclass(frozen=True)
class Matched:
    """All matches, and which of them may only be used once a model supports them.

    Attributes:
        features: keypoints and matches, loops included.
        loops: pairs whose SIFT matches are not to be trusted yet.
        pieces: runs of frames joined by tracks; 0 for photos.
    """

    features: FeatureMatches
    loops: list[Pair]
    pieces: int


def empty_problem(context: StageContext[PoseConfig], table: FrameTable) -> MappingProblem:
    """Names and cameras of the key frames, without features."""
    return MappingProblem(
        names=tuple(Path(image_item(frame.name)).name for frame in table.key_frames),
        cameras=table.cameras,
        fixed_cameras=tuple(
            prior.source == "given" and not context.config.refine_intrinsics
            for prior in table.cameras
        ),
        camera_of_image=tuple(frame.camera for frame in table.key_frames),
        features=FeatureMatches((), {}),
    )


def is_trackable(table: FrameTable) -> bool:
    """Whether flow can be chained: a sequence of images of one size."""
    cameras = map(table.camera_of, table.key_frames)
    return table.kind == "sequence" and len({(c.width, c.height) for c in cameras}) == 1


def match_photos(context: StageContext[PoseConfig], table: FrameTable) -> Matched:
    """SIFT between all photos, or between look-alikes if there are many."""
    config, count = context.config, len(table.key_frames)
    if count <= config.exhaustive_photos:
        pairs = all_pairs(count)
    else:
        pairs = photo_pairs(_describe(context, table), config.photo_partners)
    sift = SiftOptions(
        max_size_px=config.sift_max_size,
        max_features=config.sift_features,
        max_error_px=error_px(config, table),
        min_inliers=PHOTO_MIN_INLIERS,
        threads=context.workers,
    )
    return Matched(_match_sift(context, table, pairs, sift), [], 0)


def match_sequence(context: StageContext[PoseConfig], table: FrameTable) -> Matched:
    """Flow tracks, SIFT across their gaps, and SIFT between frames that close a loop."""
    config, count = context.config, len(table.key_frames)
    with single_opencv_thread():
        tracked = match_tracks(track_frames(context, table))
    runs = pieces(count, tracked, round(GAP_PART * config.tracks))
    looks_for_loops = config.loops and count > LOOP_MIN_DISTANCE
    if len(runs) == 1 and not looks_for_loops:
        return Matched(tracked, [], 1)
    if len(runs) > max(MAX_PIECES, MAX_PIECES_PART * count):
        photos = match_photos(context, table)
        return replace(photos, features=combine(tracked, photos.features), pieces=len(runs))
    descriptors = _describe(context, table)
    bridges = gap_pairs(runs, descriptors)
    loops: list[Pair] = []
    if looks_for_loops:
        found = loop_pairs(descriptors, LOOP_MIN_DISTANCE, LOOP_EVERY, LOOP_PARTNERS)
        loops = [pair for pair in found if pair not in bridges and pair not in tracked.matches]
    sift = SiftOptions(
        max_size_px=config.bridge_max_size,
        max_features=BRIDGE_FEATURES,
        max_error_px=error_px(config, table),
        min_inliers=BRIDGE_MIN_INLIERS,
        threads=context.workers,
    )
    support = support_pairs([*bridges, *loops], runs)
    described = _match_sift(context, table, sorted({*bridges, *loops, *support}), sift)
    believed = believed_bridges(bridges, runs, described.matches.keys())
    loops = [
        pair
        for pair in {*bridges, *loops}.difference(believed, tracked.matches)
        if len(described.matches.get(pair, ())) >= config.loop_min_inliers
    ]
    described = described.only({*believed, *loops, *support})
    return Matched(combine(tracked, described), sorted(loops), len(runs))


def error_px(config: PoseConfig, table: FrameTable) -> float:
    """The inlier threshold at the size of the images."""
    camera = table.cameras[table.key_frames[0].camera].camera
    return config.max_error * max(max(camera.width, camera.height) / 1000.0, 0.5)


def load_gray(context: StageContext[PoseConfig], name: str) -> NDArray[np.uint8]:
    """Grey image (h, w) of a key frame, as the frames stage left it."""
    path = context.inputs["frames"].path(image_item(name))
    return np.asarray(cv2.imread(str(path), cv2.IMREAD_GRAYSCALE), np.uint8)


def track_frames(context: StageContext[PoseConfig], table: FrameTable) -> Tracks:
    """Tracks of the flow through all key frames, which have to be of one size."""
    names = [frame.name for frame in table.key_frames]
    index = {name: number for number, name in enumerate(names)}
    flow = context.inputs["flow"]
    sources: dict[int, list[int]] = {}
    for first, second in load_pairs(flow.path(PAIRS_ITEM)):
        sources.setdefault(index[second], []).append(index[first])

    def load_pairs_to(frame: int) -> dict[int, FlowPair]:
        return {
            source: FlowPair.load(flow.path(pair_item(names[source], names[frame])))
            for source in sources.get(frame, [])
        }

    camera = table.camera_of(table.key_frames[0])
    config = context.config
    return build_tracks(
        context.track(range(len(names)), "frame"),
        lambda frame: load_gray(context, names[frame]),
        load_pairs_to,
        (camera.width, camera.height),
        TrackOptions(
            per_frame=config.tracks,
            min_confidence=config.min_flow_confidence,
            min_length=config.min_track_length,
        ),
    )


def _describe(context: StageContext[PoseConfig], table: FrameTable) -> NDArray[np.float32]:
    def loader(name: str) -> Callable[[], NDArray[np.uint8]]:
        return lambda: load_gray(context, name)

    with single_opencv_thread():
        return describe_images([loader(frame.name) for frame in table.key_frames])


def _match_sift(
    context: StageContext[PoseConfig], table: FrameTable, pairs: list[Pair], options: SiftOptions
) -> FeatureMatches:
    problem = empty_problem(context, table)
    if not pairs:
        nothing = np.zeros((0, 2), np.float32)
        return FeatureMatches((nothing,) * len(problem.names), {})
    images = context.inputs["frames"].path(image_item(table.key_frames[0].name)).parent
    return context.isolated(match_sift, images, problem, pairs, context.out.scratch(), options)
