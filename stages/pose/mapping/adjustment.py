"""Bundle adjustment of a whole model by pycolmap: only for use in a child process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from stages.pose.mapping.focal_guard import assume_focals, cost_ratio_allowed
from stages.pose.mapping.settings import MapperSettings

if TYPE_CHECKING:
    import pycolmap

# Iterations usually end much earlier, where one lowers the cost by less than this part of it.
MAX_ITERATIONS = 40
TOLERANCE = 1e-6


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


def adjust_robustly(model: pycolmap.Reconstruction, settings: MapperSettings) -> float:
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
    adjustment.ceres.solver_options.function_tolerance = TOLERANCE
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
