"""Settings of the mapper, and which are tried in turn."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from stages.pose.options import MappingOptions


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
