"""Matches between images that no flow joins, by SIFT: all pairs, or those that look alike."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from mvrecon.artifacts.frames import FrameTable
from mvrecon.engine.stage import StageContext
from mvrecon.engine.threads import single_opencv_thread
from stages.pose.config import PoseConfig, error_px
from stages.pose.images import load_grey, stored_image
from stages.pose.matching.features import FeatureMatches, Matched, Pair
from stages.pose.matching.pairs import all_pairs, photo_pairs
from stages.pose.matching.problem import mapping_problem
from stages.pose.matching.retrieval import describe_images
from stages.pose.matching.sift import SiftSettings, match_sift
from stages.pose.options import SiftOptions


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
