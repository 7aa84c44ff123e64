"""Groups of options of the pose stage, by what they belong to."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from mvrecon.engine.config import ADVANCED, OptionGroup


def _advanced(default: float, bounds: tuple[float, float], description: str) -> Any:
    """A field that only a researcher varies, within bounds."""
    least, most = bounds
    extra = ADVANCED
    return Field(default, ge=least, le=most, description=description, json_schema_extra=extra)


class TrackOptions(OptionGroup):
    """Flow chained into point tracks."""

    per_frame: int = Field(
        500, ge=100, le=5000, description="flow tracks wanted in a frame [tracks]"
    )
    min_length: int = Field(3, ge=2, le=20, description="shorter flow tracks are not used [frames]")
    min_flow_confidence: float = Field(
        0.3, ge=0.0, le=1.0, description="a track ends where the flow is less sure"
    )
    find_again: bool = Field(
        True,
        description="after mapping a sequence, look for its points in every image that should "
        "show them",
    )
    max_round_trip: float = _advanced(
        1.0,
        (0.01, 10.0),
        "a track ends where flow there and back misses its start by more [px of the flow]",
    )
    max_disagreement: float = _advanced(
        2.0,
        (0.01, 20.0),
        "a track ends where flow over several frames contradicts it by more [px of the flow]",
    )
    max_anchor_age: int = _advanced(
        12, (1, 100), "how old a look of a point is at most that a track is aligned with [frames]"
    )
    min_correlation: float = _advanced(
        0.85, (0.0, 1.0), "correlation with that look, for an alignment that is believed"
    )
    look_alike: float = _advanced(
        0.85, (0.0, 1.0), "correlation of patches that flow may take for one another"
    )


class SiftOptions(OptionGroup):
    """SIFT features and their verified matches."""

    size: int = Field(
        1024, ge=128, le=8192, description="longest side of images for SIFT on photos [px]"
    )
    features: int = Field(4096, ge=256, le=32768, description="SIFT features of a photo [features]")
    min_inliers: int = _advanced(
        15,
        (8, 1000),
        "matches that agree with one geometry, for a pair of photos that is kept [matches]",
    )


class PhotoOptions(SiftOptions):
    """Matches between photos, and in sequences that fall into many pieces."""

    exhaustive: int = Field(
        40, ge=2, le=1000, description="up to so many photos, all pairs are matched [photos]"
    )
    partners: int = Field(
        20, ge=2, le=200, description="above that, look-alikes matched with each photo [photos]"
    )


class BridgeOptions(SiftOptions):
    """SIFT where the tracks of a sequence do not reach: across gaps, and for loops."""

    size: int = Field(
        640,
        ge=128,
        le=8192,
        description="longest side of images for SIFT at gaps and loops of a sequence [px]",
    )
    features: int = _advanced(
        2048, (256, 32768), "SIFT features of a frame at gaps and loops [features]"
    )
    min_inliers: int = _advanced(
        20,
        (8, 1000),
        "matches that agree with one geometry, for a pair of frames that is kept [matches]",
    )
    gap: float = _advanced(
        0.12, (0.0, 1.0), "neighbours that share a smaller part of the tracks wanted are a gap"
    )


class LoopOptions(OptionGroup):
    """Places seen again later in a sequence."""

    enabled: bool = Field(True, description="look for places seen again later in a sequence")
    min_inliers: int = Field(
        40, ge=15, le=1000, description="matches that agree, to believe a loop [matches]"
    )
    min_distance: int = _advanced(25, (2, 10000), "least time between the two visits [frames]")
    every: int = _advanced(3, (1, 100), "step between the frames that are compared [frames]")
    partners: int = _advanced(2, (1, 20), "look-alikes tried for each of them [frames]")
    max_shift: float = _advanced(
        0.12,
        (0.001, 1.0),
        "median distance of a loop's matches from where a model made without it expects them "
        "[image widths]",
    )

    def key_options(self) -> dict[str, Any]:
        """Without how loops are looked for, where they are not.

        The rest is asked of look-alikes across gaps too.
        """
        options = super().key_options()
        search = () if self.enabled else ("min_distance", "every", "partners")
        return {name: value for name, value in options.items() if name not in search}


class MappingOptions(OptionGroup):
    """From matches to cameras and points."""

    mapper: Literal["incremental", "global"] = Field(
        "incremental", description="pycolmap's mapper that is tried first"
    )
    max_error: float = Field(
        1.0,
        ge=0.25,
        le=20.0,
        description="largest distance from the epipolar line, for images 1000 pixels wide [px]",
    )
    refine_intrinsics: bool = Field(
        False, description="refine given intrinsics too (unknown ones always are)"
    )
    fixed_intrinsics: bool = Field(
        False, description="keep intrinsics as they are before mapping, whatever their source"
    )
    min_model_fraction: float = Field(
        0.9,
        ge=0.0,
        le=1.0,
        description="other settings are tried while the largest model has less of the key frames",
    )
    unusual_cameras: bool = Field(
        True,
        description="allow for a rolling shutter and for a zoom where they explain errors of a "
        "sequence that no ordinary camera would make",
    )
    min_inliers: int = _advanced(
        15,
        (6, 1000),
        "points of the model that a frame has to see, with the relaxed settings, which come "
        "first for a sequence in one piece [points]",
    )
    min_angle: float = _advanced(
        0.5, (0.0, 30.0), "least triangulation angle of a point, with the relaxed settings [deg]"
    )
    init_angle: float = _advanced(
        4.0,
        (0.1, 60.0),
        "least triangulation angle of the first two frames, with the relaxed settings [deg]",
    )
    robust_scale: float = _advanced(
        0.25,
        (0.01, 10.0),
        "error above which an observation counts less in the final adjustment, as a part of "
        "max_error",
    )
    seam: float = _advanced(
        0.08,
        (0.0, 1.0),
        "a sequence is cut where fewer points are common, as a part of those a frame sees",
    )

    def keeps(self, source: str) -> bool:
        """Whether intrinsics from a source (given, exif, default) stay as they are."""
        return self.fixed_intrinsics or (source == "given" and not self.refine_intrinsics)


class MovingOptions(OptionGroup):
    """What moves by itself."""

    mode: Literal["mask", "keep"] = Field(
        "mask", description="whether things that move by themselves are left out of the model"
    )
    size: int = _advanced(
        256, (64, 2048), "longest side of the images in which they are looked for [px]"
    )
    relative_error: float = _advanced(
        0.05, (0.0, 1.0), "expected error of flow, as a part of what it moves by parallax"
    )
    min_error: float = _advanced(0.5, (0.01, 20.0), "expected error of flow at least [px]")
    core: float = _advanced(
        0.35, (0.0, 1.0), "share of the evidence that marks the core of a moving thing"
    )
    fringe: float = _advanced(0.4, (0.0, 1.0), "share of unexplained flow into which a core grows")
    min_area: float = _advanced(
        0.003, (0.0, 1.0), "smaller things are not masked [part of the image]"
    )
    max_area: float = _advanced(
        0.7,
        (0.0, 1.0),
        "if more seems to move it is the poses that are wrong, and nothing is masked [part of "
        "the image]",
    )
    min_still: float = _advanced(
        1.0,
        (0.0, 10.0),
        "the same, if less of the image is seen to be still [part of what moves]",
    )
