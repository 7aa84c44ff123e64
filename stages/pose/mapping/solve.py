"""From matches to models: several settings, the largest model wins."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from mvrecon.artifacts.frames import FrameTable
from mvrecon.engine.stage import StageContext
from mvrecon.formats.colmap import read_model
from mvrecon.formats.colmap_model import ColmapModel
from stages.pose.config import PoseConfig
from stages.pose.known.check import KnownCheck
from stages.pose.mapping.camera_motion import classify_motion
from stages.pose.mapping.diagnosis import no_model_error, refuse_still_camera
from stages.pose.mapping.loops import plausible_loops
from stages.pose.mapping.mapper import MappingOptions, map_database, verify
from stages.pose.mapping.seams import split_at_seams
from stages.pose.matching.database import copy_without
from stages.pose.matching.matches import (
    Matched,
    empty_problem,
    error_px,
    is_trackable,
    match_photos,
    match_sequence,
)
from stages.pose.matching.problem import Pair

# A camera outside these bounds is not believed (focal length in longer image sides).
FOCAL_BOUNDS = (0.35, 4.0)
MAX_DISTORTION = 0.6
RELAXED_INLIERS = 15


@dataclass(frozen=True)
class Solution:
    """What mapping gave.

    Attributes:
        models: believable models, the largest first.
        matched: what it was made from.
        settings: name of the settings that made it.
        loops: loops that were closed.
        min_inliers: points a frame had to see.
        known: what came of checking known poses; None if they were estimated.
    """

    models: list[ColmapModel]
    matched: Matched
    settings: str
    loops: int
    min_inliers: int
    known: KnownCheck | None = None


def solve(context: StageContext[PoseConfig], table: FrameTable) -> Solution:
    """Match, verify and map the key frames.

    Raises:
        NotEnoughDataError: no model, or a camera that does not move.
    """
    count, needed = len(table.key_frames), needed_frames(table)
    if count < needed:
        raise no_model_error(count, 0, needed)
    sizes = {(camera.width, camera.height) for camera in map(table.camera_of, table.key_frames)}
    match = match_sequence if is_trackable(table) else match_photos
    matched = match(context, table)
    refuse_still_camera(classify_motion(matched.features, max(sizes)))
    best = _Search(context, table, matched).run()
    if best.models and is_trackable(table):
        parts = [part for part in split_at_seams(best.models[0]) if len(part.images) > 1]
        models = sorted([*parts, *best.models[1:]], key=_size, reverse=True)
        best = replace(best, models=[model for model in models if len(model.xyz_n3)])
    posed = len(best.models[0].images) if best.models else 0
    if posed < needed:
        raise no_model_error(count, posed, needed)
    return best


def needed_frames(table: FrameTable) -> int:
    """Frames that make a model: two photos, else three."""
    return 2 if table.kind == "photos" and len(table.key_frames) == 2 else 3


def is_believable(model: ColmapModel) -> bool:
    """Whether the intrinsics of a model are those of a real camera."""
    if not len(model.xyz_n3):
        return False
    used = {image.camera_id for image in model.images}
    for camera in (model.cameras[camera_id] for camera_id in used):
        focal = camera.fx / max(camera.width, camera.height)
        if not FOCAL_BOUNDS[0] < focal < FOCAL_BOUNDS[1]:
            return False
        if any(abs(value) > MAX_DISTORTION for value in camera.distortion[:1]):
            return False
    return True


class _Search:
    """Tries settings until a model holds enough of the key frames."""

    def __init__(
        self, context: StageContext[PoseConfig], table: FrameTable, matched: Matched
    ) -> None:
        self._context = context
        self._needed = needed_frames(table)
        self._matched = matched
        self._problem = replace(empty_problem(context, table), features=matched.features)
        trusted = set(matched.features.matches) - set(matched.loops)
        self._connected = matched.features.only(trusted).largest_group()
        self._scratch = context.out.scratch()
        self._verified = self._scratch / "verified.db"
        self._options = MappingOptions(
            mapper=context.config.mapper,
            calibrate=context.config.mapper == "global",
            max_error_px=error_px(context.config, table),
            focal_bounds=FOCAL_BOUNDS,
            fixed_cameras=tuple(
                index for index, fixed in enumerate(self._problem.fixed_cameras) if fixed
            ),
            threads=context.workers,
        )

    def run(self) -> Solution:
        """The best models of all attempts, loops closed and lost frames tried again."""
        self._context.isolated(verify, self._problem, self._verified, self._options)
        database = self._without("matches.db", self._matched.loops)
        best = Solution([], self._matched, "", 0, self._options.abs_pose_min_inliers)
        enough = self._context.config.min_model_fraction * self._connected
        relaxed = relaxed_options(self._options)
        attempts = {
            **({} if self._matched.pieces == 1 else {"standard": self._options}),
            "relaxed": relaxed,
            "calibrated": replace(relaxed, mapper="incremental", calibrate=True),
            "global": replace(relaxed, mapper="global", calibrate=True),
            "fixed focal length": replace(relaxed, mapper="incremental", refine_focal=False),
        }
        path = Path()
        for name, options in attempts.items():
            found = self._map(database, name, options)
            if found and (not best.models or _size(found[0][1]) > _size(best.models[0])):
                path = found[0][0]
                models = [model for _, model in found]
                best = replace(
                    best,
                    models=models,
                    settings=name,
                    min_inliers=options.abs_pose_min_inliers,
                )
            if best.models and _size(best.models[0]) >= enough:
                break
        return self._extend(best, path, database, relaxed) if best.models else best

    def _extend(
        self, best: Solution, path: Path, database: Path, relaxed: MappingOptions
    ) -> Solution:
        """Close plausible loops, and register lost frames with relaxed settings."""
        loops = plausible_loops(best.models[0], self._matched.features, self._matched.loops)
        if not loops and _size(best.models[0]) >= self._connected:
            return best
        if loops:
            without = [pair for pair in self._matched.loops if pair not in loops]
            database = self._without("extended.db", without)
        options = replace(relaxed, mapper="incremental", calibrate=False)
        found = self._map(database, "extended", options, start=path)
        if not found or _size(found[0][1]) < _size(best.models[0]):
            return best
        inside = {image.image_id for image in found[0][1].images}
        others = [
            model
            for model in best.models[1:]
            if not {image.image_id for image in model.images} <= inside
        ]
        models = [found[0][1], *others]
        return replace(
            best, models=models, loops=len(loops), min_inliers=options.abs_pose_min_inliers
        )

    def _without(self, name: str, pairs: list[Pair]) -> Path:
        path = self._scratch / name
        copy_without(self._verified, path, pairs)
        return path

    def _map(
        self, database: Path, name: str, options: MappingOptions, start: Path | None = None
    ) -> list[tuple[Path, ColmapModel]]:
        folder = self._scratch / f"models_{name.replace(' ', '_')}"
        paths = self._context.isolated(map_database, database, folder, options, start)
        models = [(path, read_model(path)) for path in paths]
        return [
            (path, model)
            for path, model in models
            if _size(model) >= self._needed and is_believable(model)
        ]


def _size(model: ColmapModel) -> int:
    return len(model.images)


def relaxed_options(options: MappingOptions) -> MappingOptions:
    """For forward motion, small parallax and weak texture."""
    return replace(
        options,
        init_min_angle_deg=4.0,
        init_max_forward_motion=1.0,
        min_angle_deg=0.5,
        abs_pose_min_inliers=RELAXED_INLIERS,
    )
