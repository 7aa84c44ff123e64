"""From matches to models: several settings, the largest model wins."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from mvrecon.artifacts.frames import FrameTable
from mvrecon.engine.stage import StageContext
from mvrecon.formats.colmap.files import read_model
from mvrecon.formats.colmap.model import ColmapModel
from stages.pose.config import PoseConfig, error_px
from stages.pose.mapping.diagnosis import no_model_error
from stages.pose.mapping.given_intrinsics import fit_of_given
from stages.pose.mapping.loops import plausible_loops
from stages.pose.mapping.mapper import (
    MapperSettings,
    attempted_settings,
    map_database,
    relaxed_settings,
)
from stages.pose.mapping.parallax import camera_motion, refuse_still_camera
from stages.pose.mapping.seams import split_at_seams
from stages.pose.matching.database import copy_without, verify
from stages.pose.matching.features import Matched, Pair, mapping_problem
from stages.pose.matching.parts import match_parts
from stages.pose.matching.track_matches import is_trackable
from stages.pose.solution import Solution

# A camera outside these bounds is not believed: focal length in longer image sides, and the
# first coefficient of radial distortion, which is less than half of it for real lenses.
FOCAL_BOUNDS = (0.3, 4.0)
MAX_DISTORTION = 0.6


def solve(context: StageContext[PoseConfig], table: FrameTable) -> Solution:
    """Match, verify and map the key frames.

    Raises:
        NotEnoughDataError: no model, or a camera that does not move.
    """
    count, needed = len(table.key_frames), needed_frames(table)
    if count < needed:
        raise no_model_error(count, 0, needed)
    sizes = {(camera.width, camera.height) for camera in map(table.camera_of, table.key_frames)}
    matched = match_parts(context, table)
    refuse_still_camera(camera_motion(matched.features, max(sizes)))
    best = _Search(context, table, matched).run()
    if best.models and all(map(is_trackable, table.by_part())):
        inputs = [frame.part for frame in table.key_frames]
        parts = split_at_seams(best.models[0], context.config.mapping.seam, inputs)
        parts = [part for part in parts if len(part.images) > 1]
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
        self._config = context.config.mapping
        self._needed = needed_frames(table)
        self._matched = matched
        self._problem = mapping_problem(context, table, matched.features)
        trusted = set(matched.features.matches) - set(matched.loops)
        self._connected = matched.features.only(trusted).largest_group()
        self._scratch = context.out.scratch()
        self._verified = self._scratch / "verified.db"
        self._standard = MapperSettings(
            mapper=self._config.mapper,
            calibrate=self._config.mapper == "global",
            max_error_px=error_px(self._config.max_error, table.camera_of(table.key_frames[0])),
            robust_scale=self._config.robust_scale,
            focal_bounds=FOCAL_BOUNDS,
            fixed_cameras=tuple(
                index for index, fixed in enumerate(self._problem.fixed_cameras) if fixed
            ),
        )

    def run(self) -> Solution:
        """The best models of all attempts, loops closed and lost frames tried again."""
        self._context.isolated(
            verify,
            self._problem,
            self._verified,
            self._standard.max_error_px,
            self._context.workers,
        )
        database = self._without("matches.db", self._matched.loops)
        best = Solution([], self._matched, "", 0, self._standard.abs_pose_min_inliers)
        enough = self._config.min_model_fraction * self._connected
        relaxed = relaxed_settings(self._standard, self._config)
        attempts = attempted_settings(self._standard, relaxed, self._matched.pieces)
        path = Path()
        for name, settings in attempts.items():
            found = self._map(database, name, settings)
            if found and (not best.models or _size(found[0][1]) > _size(best.models[0])):
                path = found[0][0]
                models = [model for _, model in found]
                inliers = settings.abs_pose_min_inliers
                best = replace(best, models=models, settings=name, min_inliers=inliers)
            if best.models and _size(best.models[0]) >= enough:
                break
        if not best.models:
            return best
        if self._standard.fixed_cameras:
            fit = self._context.isolated(fit_of_given, path, self._standard)
            best = replace(best, given_fit=fit)
        return self._extend(best, path, database, relaxed)

    def _extend(
        self, best: Solution, path: Path, database: Path, relaxed: MapperSettings
    ) -> Solution:
        """Close plausible loops, and register lost frames with relaxed settings."""
        max_shift = self._context.config.loops.max_shift
        loops = plausible_loops(
            best.models[0], self._matched.features, self._matched.loops, max_shift
        )
        if not loops and _size(best.models[0]) >= self._connected:
            return best
        if loops:
            without = [pair for pair in self._matched.loops if pair not in loops]
            database = self._without("extended.db", without)
        settings = replace(relaxed, mapper="incremental", calibrate=False)
        found = self._map(database, "extended", settings, start=path)
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
            best, models=models, loops=len(loops), min_inliers=settings.abs_pose_min_inliers
        )

    def _without(self, name: str, pairs: list[Pair]) -> Path:
        path = self._scratch / name
        copy_without(self._verified, path, pairs)
        return path

    def _map(
        self, database: Path, name: str, settings: MapperSettings, start: Path | None = None
    ) -> list[tuple[Path, ColmapModel]]:
        folder = self._scratch / f"models_{name.replace(' ', '_')}"
        paths = self._context.isolated(map_database, database, folder, settings, start)
        models = [(path, read_model(path)) for path in paths]
        return [
            (path, model)
            for path, model in models
            if _size(model) >= self._needed and is_believable(model)
        ]


def _size(model: ColmapModel) -> int:
    return len(model.images)
