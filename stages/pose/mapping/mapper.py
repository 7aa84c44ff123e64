"""Mapping and bundle adjustment by pycolmap: only for use in a child process; their settings."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from mvrecon.engine.processes.channel import report_progress
from stages.pose.colmap import SEED, quieten, reproducible_pipeline
from stages.pose.mapping.focal_guard import assume_focals, cost_ratio_allowed, prior_focals
from stages.pose.options import MappingOptions

if TYPE_CHECKING:
    import pycolmap

# Smaller models and more of them say nothing that a larger one does not.
MIN_MODEL_IMAGES = 2
MAX_MODELS = 20
# Adjustments stop when an iteration lowers the cost by less than this part of it. Driving
# straight ahead, a larger one leaves the focal length where it began.
LOCAL_TOLERANCE = 1e-3
GLOBAL_TOLERANCE = 1e-5
# Rounds of adjusting and leaving out what is far off, fewer than COLMAP's own: the last
# adjustment is a robust one.
LOCAL_REFINEMENTS = 1
GLOBAL_REFINEMENTS = 3
# All cameras are adjusted whenever the model has grown by this factor.
GLOBAL_GROWTH = 1.5
# COLMAP's own bounds of errors, 4 and 12 pixels, for images of any size, in units of ours.
FILTER_FACTOR = 2.0
RESECTION_FACTOR = 6.0
# Of the last adjustment. Iterations usually end much earlier, where one lowers the cost by less
# than this part of it.
MAX_ITERATIONS = 40
TOLERANCE = 1e-6


@dataclass(frozen=True)
class MapperSettings:
    """How to map. Without other values the angles, and the points to register, are COLMAP's own.

    Attributes:
        mapper: pycolmap's mapper.
        calibrate: whether focal lengths are first estimated from pairs of views.
        max_error_px: of the inliers of two views.
        robust_scale: error above which an observation counts less, as a part of `max_error_px`.
        focal_bounds: least and largest focal length, in units of the longer image side.
        refine_focal: whether free cameras' focal length is refined.
        fixed_cameras: indices of the cameras that stay as they are.
        init_min_angle_deg: triangulation angle of the first pair.
        init_max_forward_motion: of the first pair, 1 allows motion along the optical axis.
        min_angle_deg: least triangulation angle of a point.
        abs_pose_min_inliers: to register a frame.
    """

    mapper: Literal["incremental", "global"] = "incremental"
    calibrate: bool = False
    max_error_px: float = 2.0
    robust_scale: float = 0.25
    focal_bounds: tuple[float, float] = (0.3, 5.0)
    refine_focal: bool = True
    fixed_cameras: tuple[int, ...] = ()
    init_min_angle_deg: float = 16.0
    init_max_forward_motion: float = 0.95
    min_angle_deg: float = 1.5
    abs_pose_min_inliers: int = 30


def attempted_settings(
    standard: MapperSettings, relaxed: MapperSettings, pieces: int
) -> dict[str, MapperSettings]:
    """What is tried in turn, by name, until a model is large enough.

    Args:
        standard: strict, as for photos that were taken to be mapped.
        relaxed: come first for a sequence in one piece, whose matches hold few outliers.
        pieces: runs of frames joined by tracks; 0 for photos.
    """
    incremental = replace(relaxed, mapper="incremental")
    return {
        **({} if pieces == 1 else {"standard": standard}),
        "relaxed": relaxed,
        "calibrated": replace(incremental, calibrate=True),
        "global": replace(relaxed, mapper="global", calibrate=True),
        "fixed focal length": replace(incremental, refine_focal=False),
    }


def relaxed_settings(standard: MapperSettings, options: MappingOptions) -> MapperSettings:
    """For forward motion, small parallax and weak texture."""
    return replace(
        standard,
        init_min_angle_deg=options.init_angle,
        init_max_forward_motion=1.0,
        min_angle_deg=options.min_angle,
        abs_pose_min_inliers=options.min_inliers,
    )


def map_database(
    database_path: Path, folder: Path, settings: MapperSettings, start: Path | None = None
) -> list[Path]:
    """Map what was verified.

    Args:
        database_path: that `verify` wrote; it is not changed.
        folder: for the models; emptied first.
        settings: how.
        start: a model to extend, or None.

    Returns:
        Folders of the models, most images first.
    """
    import pycolmap

    quieten()
    pycolmap.set_random_seed(SEED)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    verified_path = database_path
    if settings.calibrate:
        database_path = _calibrated(database_path)
    if settings.mapper == "global":
        models = pycolmap.global_mapping(database_path, folder, folder, _global_options(settings))
    else:
        models = _map_incrementally(database_path, folder, settings, start)
    priors = prior_focals(verified_path)
    adjusted = [adjust(model, priors, settings) for model in models.values()]
    return _write_sorted(adjusted, folder)


def _map_incrementally(
    database_path: Path, folder: Path, settings: MapperSettings, start: Path | None
) -> dict[int, pycolmap.Reconstruction]:
    import pycolmap

    with pycolmap.Database.open(database_path) as database:
        total = database.num_images()
    placed = count(1 if start else 2)

    def on_image() -> None:
        # Frames of further models count again.
        report_progress(min(next(placed), total), total, "frame")

    return pycolmap.incremental_mapping(
        database_path,
        folder,
        folder,
        _incremental_options(settings),
        input_path=start or "",
        next_image_callback=on_image,
    )


def _calibrated(database_path: Path) -> Path:
    """A copy of the database with focal lengths estimated from its fundamental matrices."""
    import pycolmap

    copy_path = database_path.with_name(f"calibrated_{database_path.name}")
    shutil.copyfile(database_path, copy_path)
    pycolmap.calibrate_view_graph(copy_path, pycolmap.ViewGraphCalibrationOptions(random_seed=SEED))
    return copy_path


def _write_sorted(models: Iterable[pycolmap.Reconstruction], folder: Path) -> list[Path]:
    import pycolmap

    ranked = sorted(models, key=lambda model: (-model.num_reg_images(), -model.num_points3D()))
    shutil.rmtree(folder)
    paths = []
    for rank, model in enumerate(ranked):
        # The adjustment may leave a point behind a camera that is said to see it.
        pycolmap.ObservationManager(model).filter_observations_with_negative_depth()
        model.update_point_3d_errors()
        path = folder / str(rank)
        path.mkdir(parents=True)
        model.write_binary(path)
        paths.append(path)
    return paths


def _incremental_options(settings: MapperSettings) -> pycolmap.IncrementalPipelineOptions:
    pipeline = reproducible_pipeline(FILTER_FACTOR * settings.max_error_px, settings.min_angle_deg)
    pipeline.min_model_size = MIN_MODEL_IMAGES
    pipeline.max_num_models = MAX_MODELS
    pipeline.min_focal_length_ratio, pipeline.max_focal_length_ratio = settings.focal_bounds
    pipeline.ba_refine_focal_length = settings.refine_focal
    pipeline.constant_cameras = {camera + 1 for camera in settings.fixed_cameras}
    pipeline.ba_global_frames_ratio = GLOBAL_GROWTH
    pipeline.ba_global_points_ratio = GLOBAL_GROWTH
    pipeline.ba_global_max_refinements = GLOBAL_REFINEMENTS
    pipeline.ba_global_function_tolerance = GLOBAL_TOLERANCE
    pipeline.ba_local_max_refinements = LOCAL_REFINEMENTS
    pipeline.ba_local_function_tolerance = LOCAL_TOLERANCE
    pipeline.mapper.init_min_tri_angle = settings.init_min_angle_deg
    pipeline.mapper.init_max_forward_motion = settings.init_max_forward_motion
    pipeline.mapper.abs_pose_max_error = RESECTION_FACTOR * settings.max_error_px
    pipeline.mapper.abs_pose_min_num_inliers = settings.abs_pose_min_inliers
    return pipeline


def _global_options(settings: MapperSettings) -> pycolmap.GlobalPipelineOptions:
    import pycolmap

    pipeline = pycolmap.GlobalPipelineOptions()
    pipeline.num_threads = 1
    pipeline.random_seed = SEED
    pipeline.min_model_size = MIN_MODEL_IMAGES
    # The global mapper has one switch for all cameras.
    free = not settings.fixed_cameras
    pipeline.mapper.bundle_adjustment.refine_focal_length = settings.refine_focal and free
    pipeline.mapper.bundle_adjustment.refine_extra_params = free
    return pipeline


def adjust(
    model: pycolmap.Reconstruction, priors: Mapping[int, float], settings: MapperSettings
) -> pycolmap.Reconstruction:
    """Adjust all at once; a focal length far from its prior must have a reason.

    Args:
        model: is changed.
        priors: focal length [px] by camera id.
        settings: how.

    Returns:
        The model, or one with the focal lengths of the priors.
    """
    cost = adjust_robustly(model, settings)
    allowed = cost_ratio_allowed(model, priors) if settings.refine_focal else 0.0
    if not allowed:
        return model
    assumed = assume_focals(model, priors)
    assumed_cost = adjust_robustly(assumed, replace(settings, refine_focal=False))
    return assumed if assumed_cost <= allowed * cost else model


def adjust_robustly(
    model: pycolmap.Reconstruction, settings: MapperSettings, tolerance: float = TOLERANCE
) -> float:
    """Adjust with a heavy-tailed loss, as errors of flow tracks have heavy tails.

    The mappers' own loss is quadratic; with it, the few tracks that are pixels off decide
    the focal length.

    Returns:
        The robust cost that is left.
    """
    import pycolmap

    adjustment = pycolmap.BundleAdjustmentOptions()
    adjustment.refine_focal_length = settings.refine_focal
    adjustment.print_summary = False
    adjustment.ceres.loss_function_type = pycolmap.LossFunctionType.CAUCHY
    adjustment.ceres.loss_function_scale = settings.robust_scale * settings.max_error_px
    adjustment.ceres.solver_options.num_threads = 1
    adjustment.ceres.solver_options.max_num_iterations = MAX_ITERATIONS
    adjustment.ceres.solver_options.function_tolerance = tolerance
    scope = pycolmap.BundleAdjustmentConfig()
    for image_id in model.reg_image_ids():
        scope.add_image(image_id)
    for camera in settings.fixed_cameras:
        if model.exists_camera(camera + 1):
            scope.set_constant_cam_intrinsics(camera + 1)
    scope.fix_gauge(pycolmap.BundleAdjustmentGauge.TWO_CAMS_FROM_WORLD)
    summary = pycolmap.create_default_bundle_adjuster(adjustment, scope, model).solve()
    if not isinstance(summary, pycolmap.CeresBundleAdjustmentSummary):
        return 0.0  # a model whose points were all filtered leaves nothing to adjust
    return float(summary.ceres_summary.final_cost)
