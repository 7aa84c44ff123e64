"""What mapping, or checking known poses, gave."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mvrecon.formats.colmap.model import ColmapModel
from stages.pose.matching.features import Matched


@dataclass(frozen=True)
class KnownCheck:
    """What came of checking known poses.

    Attributes:
        reasons: why key frames have no pose, by name.
        epipolar_error_px: median distance of matches from their epipolar lines.
        warnings: one sentence each.
    """

    reasons: Mapping[str, str]
    epipolar_error_px: float
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class IntrinsicsFit:
    """What a model would gain by other intrinsics than those given.

    Attributes:
        gain: share of the robust cost that is left less if they are refined.
        focal_px: the focal length then, of the first camera.
    """

    gain: float
    focal_px: float


@dataclass(frozen=True)
class Solution:
    """Models of the key frames.

    Attributes:
        models: believable models, the largest first.
        matched: what it was made from.
        settings: name of the settings that made it.
        loops: loops that were closed.
        min_inliers: points a frame had to see.
        known: what came of checking known poses; None if they were estimated.
        given_fit: how far the images contradict given intrinsics; None if they were refined.
    """

    models: list[ColmapModel]
    matched: Matched
    settings: str
    loops: int
    min_inliers: int
    known: KnownCheck | None = None
    given_fit: IntrinsicsFit | None = None
