"""Groups of options of the pose stage, by what they belong to."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from mvrecon.engine.config import ADVANCED, OptionGroup


class TrackOptions(OptionGroup):
    """Flow chained into point tracks."""

    per_frame: int = Field(
        500, ge=100, le=5000, description="flow tracks wanted in a frame [tracks]"
    )
    min_length: int = Field(3, ge=2, le=20, description="shorter flow tracks are not used [frames]")
    min_flow_confidence: float = Field(
        0.3, ge=0.0, le=1.0, description="a track ends where the flow is less sure"
    )
    max_round_trip: float = Field(
        1.0,
        gt=0.0,
        le=10.0,
        description="a track ends where flow there and back misses its start by more [px of the "
        "flow]",
        json_schema_extra=ADVANCED,
    )
    max_disagreement: float = Field(
        2.0,
        gt=0.0,
        le=20.0,
        description="a track ends where flow over several frames contradicts it by more [px of the "
        "flow]",
        json_schema_extra=ADVANCED,
    )
    max_anchor_age: int = Field(
        12,
        ge=1,
        le=100,
        description="how old a look of a point is at most that a track is aligned with [frames]",
        json_schema_extra=ADVANCED,
    )
    min_correlation: float = Field(
        0.85,
        ge=0.0,
        le=1.0,
        description="correlation with that look, for an alignment that is believed",
        json_schema_extra=ADVANCED,
    )
    look_alike: float = Field(
        0.85,
        ge=0.0,
        le=1.0,
        description="correlation of patches that flow may take for one another",
        json_schema_extra=ADVANCED,
    )


class SiftOptions(OptionGroup):
    """SIFT features and their verified matches."""

    size: int = Field(
        1024, ge=128, le=8192, description="longest side of images for SIFT on photos [px]"
    )
    features: int = Field(4096, ge=256, le=32768, description="SIFT features of a photo [features]")
    min_inliers: int = Field(
        15,
        ge=8,
        le=1000,
        description="matches that agree with one geometry, for a pair of photos that is kept "
        "[matches]",
        json_schema_extra=ADVANCED,
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
    features: int = Field(
        2048,
        ge=256,
        le=32768,
        description="SIFT features of a frame at gaps and loops [features]",
        json_schema_extra=ADVANCED,
    )
    min_inliers: int = Field(
        20,
        ge=8,
        le=1000,
        description="matches that agree with one geometry, for a pair of frames that is kept "
        "[matches]",
        json_schema_extra=ADVANCED,
    )
    gap: float = Field(
        0.12,
        ge=0.0,
        le=1.0,
        description="neighbours that share a smaller part of the tracks wanted are a gap",
        json_schema_extra=ADVANCED,
    )


class LoopOptions(OptionGroup):
    """Places seen again later in a sequence."""

    enabled: bool = Field(True, description="look for places seen again later in a sequence")
    min_inliers: int = Field(
        40, ge=15, le=1000, description="matches that agree, to believe a loop [matches]"
    )
    min_distance: int = Field(
        25,
        ge=2,
        le=10000,
        description="least time between the two visits [frames]",
        json_schema_extra=ADVANCED,
    )
    every: int = Field(
        3,
        ge=1,
        le=100,
        description="step between the frames that are compared [frames]",
        json_schema_extra=ADVANCED,
    )
    partners: int = Field(
        2,
        ge=1,
        le=20,
        description="look-alikes tried for each of them [frames]",
        json_schema_extra=ADVANCED,
    )
    max_shift: float = Field(
        0.12,
        gt=0.0,
        le=1.0,
        description="median distance of a loop's matches from where a model made without it"
        " expects them [image widths]",
        json_schema_extra=ADVANCED,
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
    min_model_fraction: float = Field(
        0.9,
        ge=0.0,
        le=1.0,
        description="other settings are tried while the largest model has less of the key frames",
    )
    min_inliers: int = Field(
        15,
        ge=6,
        le=1000,
        description="points of the model that a frame has to see, with the relaxed settings, which "
        "come first for a sequence in one piece [points]",
        json_schema_extra=ADVANCED,
    )
    min_angle: float = Field(
        0.5,
        ge=0.0,
        le=30.0,
        description="least triangulation angle of a point, with the relaxed settings [deg]",
        json_schema_extra=ADVANCED,
    )
    init_angle: float = Field(
        4.0,
        ge=0.1,
        le=60.0,
        description="least triangulation angle of the first two frames, with the relaxed settings "
        "[deg]",
        json_schema_extra=ADVANCED,
    )
    robust_scale: float = Field(
        0.25,
        gt=0.0,
        le=10.0,
        description="error above which an observation counts less in the final adjustment, as a"
        " part of max_error",
        json_schema_extra=ADVANCED,
    )
    seam: float = Field(
        0.08,
        ge=0.0,
        le=1.0,
        description="a sequence is cut where fewer points are common, as a part of those a frame "
        "sees",
        json_schema_extra=ADVANCED,
    )


class MovingOptions(OptionGroup):
    """What moves by itself."""

    mode: Literal["mask", "keep"] = Field(
        "mask", description="whether things that move by themselves are left out of the model"
    )
    size: int = Field(
        256,
        ge=64,
        le=2048,
        description="longest side of the images in which they are looked for [px]",
        json_schema_extra=ADVANCED,
    )
    relative_error: float = Field(
        0.05,
        ge=0.0,
        le=1.0,
        description="expected error of flow, as a part of what it moves by parallax",
        json_schema_extra=ADVANCED,
    )
    min_error: float = Field(
        0.5,
        gt=0.0,
        le=20.0,
        description="expected error of flow at least [px]",
        json_schema_extra=ADVANCED,
    )
    core: float = Field(
        0.35,
        ge=0.0,
        le=1.0,
        description="share of the evidence that marks the core of a moving thing",
        json_schema_extra=ADVANCED,
    )
    fringe: float = Field(
        0.4,
        ge=0.0,
        le=1.0,
        description="share of unexplained flow into which a core grows",
        json_schema_extra=ADVANCED,
    )
    min_area: float = Field(
        0.003,
        ge=0.0,
        le=1.0,
        description="smaller things are not masked [part of the image]",
        json_schema_extra=ADVANCED,
    )
    max_area: float = Field(
        0.7,
        ge=0.0,
        le=1.0,
        description="if more seems to move it is the poses that are wrong, and nothing is masked "
        "[part of the image]",
        json_schema_extra=ADVANCED,
    )
