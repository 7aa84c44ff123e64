"""Known poses: checked against the images, and turned into what the pose stage makes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from mvrecon.artifacts.frames import CameraPrior, FrameTable
from mvrecon.datasets.given_poses import read_given_poses
from mvrecon.engine.stage import StageContext
from mvrecon.errors import InputError
from mvrecon.formats.colmap.files import read_model
from mvrecon.formats.colmap.model import ColmapModel
from stages.pose.config import PoseConfig, error_px
from stages.pose.known.assignment import assign_poses, stored_camera
from stages.pose.known.epipolar_check import (
    PosedView,
    better_reading,
    epipolar_error_px,
    fit_focal,
    typical_error_px,
    unfit_views,
    zoom_views,
)
from stages.pose.known.triangulation import triangulate_known
from stages.pose.matching.features import FeatureMatches, MappingProblem, Matched, mapping_problem
from stages.pose.matching.photos import match_photos
from stages.pose.matching.track_matches import is_trackable, track_frames
from stages.pose.solution import KnownCheck, Solution

# Distance from the epipolar line that good poses keep to, for images 1000 pixels wide.
MAX_EPIPOLAR_PX = 2.0
NO_POSE = "no pose among the known ones"
# Fewer points are of no use to depth.
MIN_POINTS = 20
# A single frame is called wrong at so many times the limit of all.
SINGLE_MISFIT = 2.0
# Names in one warning.
SHOWN = 5
# Another reading of the poses has to lower the error to this part.
MUCH_BETTER = 0.5
# A match counts as right up to so many times the typical error, at least the limit of good
# poses, at most so many times that; its points may lie twice as far from where they are seen.
TOLERANCE = 3.0
MAX_TOLERANCE = 5.0
REPROJECTION_FACTOR = 2.0


def solve_known(context: StageContext[PoseConfig], table: FrameTable, path: Path) -> Solution:
    """Check known poses and triangulate points with them; the poses stay as they are.

    Raises:
        InputError: the poses cannot be read, belong to other images, or disagree with what
            the images show so much that no points come out.
    """
    views, refine = _load_views(context, table, path)
    matched = _match(context, table)
    warnings = []
    if refine:
        factor = fit_focal(matched.features, views)
        views = zoom_views(views, factor)
        warnings.append(
            f"{path.name} has no intrinsics: the focal length that suits it best was taken"
            " (give it with --camera if you know it)"
        )
    typical_px = typical_error_px(matched.features, views)
    limit_px = _limit_px(table)
    misfit = _misfit(matched.features, views, typical_px, limit_px)
    if misfit:
        warnings.append(misfit)
    elif unfit := unfit_views(matched.features, views, SINGLE_MISFIT * limit_px):
        shown = ", ".join(table.key_frames[row].name for row in unfit[:SHOWN])
        warnings.append(
            f"The known poses of {len(unfit)} key frames do not fit the others': {shown}"
            + (", …" if len(unfit) > SHOWN else "")
        )
    model = _triangulate(context, table, views, matched.features, typical_px)
    if len(model.xyz_n3) < MIN_POINTS:
        raise InputError(
            f"only {len(model.xyz_n3)} points could be triangulated with the poses of {path.name}"
            + (f": {misfit.lower()}" if misfit else ""),
            "Check that they are world_from_cam with OpenCV axes, and belong to these images",
        )
    names = [frame.name for frame in table.key_frames]
    reasons = {name: NO_POSE for row, name in enumerate(names) if row not in views}
    check = KnownCheck(reasons, typical_px, tuple(warnings))
    return Solution([model], matched, "known poses", loops=0, min_inliers=0, known=check)


def _limit_px(table: FrameTable) -> float:
    return error_px(MAX_EPIPOLAR_PX, table.camera_of(table.key_frames[0]))


def _load_views(
    context: StageContext[PoseConfig], table: FrameTable, path: Path
) -> tuple[dict[int, PosedView], bool]:
    """Views by row of the key frame, and whether their focal length is a mere guess."""
    assigned = assign_poses(table, read_given_poses(path), path.name)
    views: dict[int, PosedView] = {}
    guessed = False
    for row, frame in enumerate(table.key_frames):
        if frame.name not in assigned:
            continue
        given = assigned[frame.name]
        camera = table.camera_of(frame)
        if given.camera:
            camera = stored_camera(given.camera, camera, frame.source)
        else:
            guessed = guessed or table.cameras[frame.camera].source == "default"
        views[row] = PosedView(camera, given.world_from_cam)
    if len(views) < 2:
        raise InputError(
            f"{path.name} has a pose for only one of the {len(table.key_frames)} key frames",
            "At least two are needed; name the images as the input does",
        )
    context.say(f"known poses for {len(views)} of {len(table.key_frames)} key frames")
    return views, guessed


def _match(context: StageContext[PoseConfig], table: FrameTable) -> Matched:
    """Matches without loops and bridged gaps, which known poses do not need."""
    if is_trackable(table):
        return Matched(track_frames(context, table), [], 1)
    return match_photos(context, table)


def _misfit(
    features: FeatureMatches, views: dict[int, PosedView], typical_px: float, limit_px: float
) -> str:
    """What is wrong with the poses, or "".

    Raises:
        InputError: they are right if read in another convention.
    """
    if not np.isfinite(typical_px):
        return "The known poses could not be checked: their frames share no matches"
    if typical_px <= limit_px:
        return ""
    text = (
        f"the known poses do not fit the images: matches lie {typical_px:.1f} px from their"
        f" epipolar lines (median), {limit_px:.1f} px would be right"
    )
    if reading := better_reading(features, views, min(limit_px, MUCH_BETTER * typical_px)):
        raise InputError(
            f"{text}; they fit if they are read as {reading}",
            "Convert them to world_from_cam with OpenCV axes (x right, y down, z forward)",
        )
    return text.capitalize()


def _triangulate(
    context: StageContext[PoseConfig],
    table: FrameTable,
    views: dict[int, PosedView],
    features: FeatureMatches,
    typical_px: float,
) -> ColmapModel:
    limit_px = _limit_px(table)
    tolerance_px = float(np.clip(TOLERANCE * typical_px, limit_px, MAX_TOLERANCE * limit_px))
    agreeing = {}
    for pair, rows in features.matches.items():
        if pair[0] in views and pair[1] in views:
            error = epipolar_error_px(features, views, pair)
            agreeing[pair] = rows[error <= tolerance_px] if len(error) else rows[:0]
    problem = mapping_problem(context, table, FeatureMatches(features.keypoints, agreeing))
    folder = context.isolated(
        triangulate_known,
        _fixed_problem(problem, table, views),
        {row: view.world_from_cam for row, view in views.items()},
        context.out.scratch(),
        REPROJECTION_FACTOR * tolerance_px,
    )
    return read_model(folder)


def _fixed_problem(
    problem: MappingProblem, table: FrameTable, views: dict[int, PosedView]
) -> MappingProblem:
    """The problem with the known cameras; equal ones are shared."""
    of_image: Sequence[CameraPrior] = [
        CameraPrior(views[row].camera, "given") if row in views else table.cameras[frame.camera]
        for row, frame in enumerate(table.key_frames)
    ]
    cameras = tuple(dict.fromkeys(of_image))
    return replace(
        problem,
        cameras=cameras,
        fixed_cameras=(True,) * len(cameras),
        camera_of_image=tuple(cameras.index(prior) for prior in of_image),
    )
