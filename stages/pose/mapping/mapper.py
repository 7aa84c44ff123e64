"""Geometric verification and mapping by pycolmap: only for use in a child process."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from mvrecon.engine.channel import report_progress
from stages.pose.mapping.focal_guard import assume_focals, cost_ratio_allowed, prior_focals
from stages.pose.matching.database import create_database
from stages.pose.matching.problem import MappingProblem

if TYPE_CHECKING:
    import pycolmap

SEED = 0
# Of the error bound of inliers: about the median error of a good track.
ROBUST_SCALE = 0.25
MAX_ITERATIONS = 40
# Adjustments stop when an iteration lowers the cost by less than this part of it. Driving
# straight ahead, a larger one leaves the focal length where it began.
LOCAL_TOLERANCE = 1e-3
GLOBAL_TOLERANCE = 1e-5
FINAL_TOLERANCE = 1e-6
# All cameras are adjusted whenever the model has grown by this factor.
GLOBAL_GROWTH = 1.5
# Tracks, and matches verified once already, hold few outliers.
MIN_TRIALS = 30
MAX_TRIALS = 500
# COLMAP's own bounds of errors, 4 and 12 pixels, for images of any size.
FILTER_FACTOR = 2.0
RESECTION_FACTOR = 6.0


@dataclass(frozen=True)
class MappingOptions:
    """How to map.

    Attributes:
        mapper: pycolmap's mapper.
        calibrate: whether focal lengths are first estimated from pairs of views.
        max_error_px: of the inliers of two views.
        focal_bounds: least and largest focal length, in units of the longer image side.
        refine_focal: whether free cameras' focal length is refined.
        fixed_cameras: indices of the cameras that stay as they are.
        init_min_angle_deg: triangulation angle of the first pair.
        init_max_forward_motion: of the first pair, 1 allows motion along the optical axis.
        min_angle_deg: least triangulation angle of a point.
        abs_pose_min_inliers: to register a frame.
        threads: of the verification, whose result they do not change.
    """

    mapper: Literal["incremental", "global"] = "incremental"
    calibrate: bool = False
    max_error_px: float = 2.0
    focal_bounds: tuple[float, float] = (0.3, 5.0)
    refine_focal: bool = True
    fixed_cameras: tuple[int, ...] = ()
    init_min_angle_deg: float = 16.0
    init_max_forward_motion: float = 0.95
    min_angle_deg: float = 1.5
    abs_pose_min_inliers: int = 30
    threads: int = 1


def verify(problem: MappingProblem, database_path: Path, options: MappingOptions) -> int:
    """Write the database and verify its pairs.

    Returns:
        Number of pairs with a consistent geometry.
    """
    import pycolmap

    quieten()
    create_database(database_path, problem)
    pycolmap.geometric_verification(
        database_path,
        verifier_options=pycolmap.GeometricVerifierOptions(num_threads=options.threads),
        two_view_geometry_options=two_view_options(options.max_error_px, MAX_TRIALS),
    )
    with pycolmap.Database.open(database_path) as database:
        return int(database.num_verified_image_pairs())


def quieten() -> None:
    """Let pycolmap report errors only."""
    import pycolmap

    pycolmap.logging.minloglevel = int(pycolmap.logging.Level.ERROR.value)


def two_view_options(max_error_px: float, max_trials: int) -> pycolmap.TwoViewGeometryOptions:
    """Options of the two-view geometry, with a seed for each pair."""
    import pycolmap

    options = pycolmap.TwoViewGeometryOptions()
    options.ransac.max_error = max_error_px
    options.ransac.random_seed = SEED
    options.ransac.min_num_trials = MIN_TRIALS
    options.ransac.max_num_trials = max_trials
    options.detect_watermark = False
    return options


def map_database(
    database_path: Path, folder: Path, options: MappingOptions, start: Path | None = None
) -> list[Path]:
    """Map what was verified.

    One thread: several would change the order of sums, and so the last digits.

    Args:
        database_path: that `verify` wrote; it is not changed.
        folder: for the models; emptied first.
        options: how.
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
    if options.calibrate:
        database_path = _calibrated(database_path)
    if options.mapper == "global":
        models = pycolmap.global_mapping(database_path, folder, folder, _global_options(options))
    else:
        models = _map_incrementally(database_path, folder, options, start)
    priors = prior_focals(verified_path)
    adjusted = [_adjust(model, priors, options) for model in models.values()]
    return _write_sorted(adjusted, folder)


def _map_incrementally(
    database_path: Path, folder: Path, options: MappingOptions, start: Path | None
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
        _incremental_options(options),
        input_path=start or "",
        next_image_callback=on_image,
    )


def _adjust(
    model: pycolmap.Reconstruction, priors: Mapping[int, float], options: MappingOptions
) -> pycolmap.Reconstruction:
    """Adjust all at once; a focal length far from its prior must have a reason."""
    cost = _adjust_robustly(model, options)
    allowed = cost_ratio_allowed(model, priors) if options.refine_focal else 0.0
    if not allowed:
        return model
    assumed = assume_focals(model, priors)
    assumed_cost = _adjust_robustly(assumed, replace(options, refine_focal=False))
    return assumed if assumed_cost <= allowed * cost else model


def _adjust_robustly(model: pycolmap.Reconstruction, options: MappingOptions) -> float:
    """Adjust with a heavy-tailed loss, as errors of flow tracks have heavy tails.

    The mappers' own loss is quadratic; with it, the few tracks that are pixels off decide
    the focal length.

    Returns:
        The robust cost that is left.
    """
    import pycolmap

    adjustment = pycolmap.BundleAdjustmentOptions()
    adjustment.refine_focal_length = options.refine_focal
    adjustment.print_summary = False
    adjustment.ceres.loss_function_type = pycolmap.LossFunctionType.CAUCHY
    adjustment.ceres.loss_function_scale = ROBUST_SCALE * options.max_error_px
    adjustment.ceres.solver_options.num_threads = 1
    adjustment.ceres.solver_options.max_num_iterations = MAX_ITERATIONS
    adjustment.ceres.solver_options.function_tolerance = FINAL_TOLERANCE
    scope = pycolmap.BundleAdjustmentConfig()
    for image_id in model.reg_image_ids():
        scope.add_image(image_id)
    for camera in options.fixed_cameras:
        if model.exists_camera(camera + 1):
            scope.set_constant_cam_intrinsics(camera + 1)
    scope.fix_gauge(pycolmap.BundleAdjustmentGauge.TWO_CAMS_FROM_WORLD)
    summary = pycolmap.create_default_bundle_adjuster(adjustment, scope, model).solve()
    if not isinstance(summary, pycolmap.CeresBundleAdjustmentSummary):
        return 0.0  # a model whose points were all filtered leaves nothing to adjust
    return float(summary.ceres_summary.final_cost)


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


def _incremental_options(options: MappingOptions) -> pycolmap.IncrementalPipelineOptions:
    import pycolmap

    pipeline = pycolmap.IncrementalPipelineOptions()
    pipeline.num_threads = 1
    pipeline.random_seed = SEED
    pipeline.extract_colors = False
    pipeline.min_model_size = 2
    pipeline.max_num_models = 20
    pipeline.min_focal_length_ratio, pipeline.max_focal_length_ratio = options.focal_bounds
    pipeline.ba_refine_focal_length = options.refine_focal
    pipeline.constant_cameras = {camera + 1 for camera in options.fixed_cameras}
    pipeline.ba_global_frames_ratio = GLOBAL_GROWTH
    pipeline.ba_global_points_ratio = GLOBAL_GROWTH
    pipeline.ba_global_max_refinements = 3
    pipeline.ba_global_function_tolerance = GLOBAL_TOLERANCE
    pipeline.ba_local_max_refinements = 1
    pipeline.ba_local_function_tolerance = LOCAL_TOLERANCE
    pipeline.mapper.init_min_tri_angle = options.init_min_angle_deg
    pipeline.mapper.init_max_forward_motion = options.init_max_forward_motion
    pipeline.mapper.filter_max_reproj_error = FILTER_FACTOR * options.max_error_px
    pipeline.mapper.abs_pose_max_error = RESECTION_FACTOR * options.max_error_px
    pipeline.mapper.filter_min_tri_angle = options.min_angle_deg
    pipeline.mapper.abs_pose_min_num_inliers = options.abs_pose_min_inliers
    pipeline.triangulation.min_angle = options.min_angle_deg
    return pipeline


def _global_options(options: MappingOptions) -> pycolmap.GlobalPipelineOptions:
    import pycolmap

    pipeline = pycolmap.GlobalPipelineOptions()
    pipeline.num_threads = 1
    pipeline.random_seed = SEED
    pipeline.min_model_size = 2
    # The global mapper has one switch for all cameras.
    free = not options.fixed_cameras
    pipeline.mapper.bundle_adjustment.refine_focal_length = options.refine_focal and free
    pipeline.mapper.bundle_adjustment.refine_extra_params = free
    return pipeline
