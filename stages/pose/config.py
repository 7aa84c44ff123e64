"""Options of the pose stage."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from mvrecon.engine.config import ContentPath, StageConfig
from stages.pose.world.scale_option import parse_scale


class PoseConfig(StageConfig):
    """Options of the pose stage."""

    known: ContentPath = Field(
        None,
        description="known camera poses, to be checked and kept: a COLMAP model's folder, a "
        "nerfstudio transforms.json, a cameras.json or a TUM trajectory; images by file name",
    )
    scale: str = Field(
        "auto",
        description="what is known of the true size: points:X,Y,Z:X,Y,Z:METRES (coordinates of"
        " a run without it), pixels:FRAME@X,Y:FRAME@X,Y:METRES (pixels of images/FRAME),"
        " baseline:FRAME:FRAME:METRES (between two cameras), height:METRES (of the cameras above"
        " the ground); auto: by the positions in photos' EXIF where they agree; none: arbitrary",
    )
    all_frames: bool = Field(
        False,
        description="pose the frames between the key frames of a sequence too, by what they show"
        " of the model's points; they are written to trajectory.txt",
    )
    mapper: Literal["incremental", "global"] = Field(
        "incremental", description="pycolmap's mapper that is tried first"
    )
    tracks: int = Field(500, ge=100, le=5000, description="flow tracks wanted in a frame [tracks]")
    min_track_length: int = Field(
        3, ge=2, le=20, description="shorter flow tracks are not used [frames]"
    )
    min_flow_confidence: float = Field(
        0.3, ge=0.0, le=1.0, description="a track ends where the flow is less sure"
    )
    max_error: float = Field(
        1.0,
        ge=0.25,
        le=20.0,
        description="largest distance from the epipolar line, for images 1000 pixels wide [px]",
    )
    sift_max_size: int = Field(
        1024, ge=128, le=8192, description="longest side of images for SIFT on photos [px]"
    )
    sift_features: int = Field(
        4096, ge=256, le=32768, description="SIFT features of a photo [features]"
    )
    bridge_max_size: int = Field(
        640,
        ge=128,
        le=8192,
        description="longest side of images for SIFT at gaps and loops of a sequence [px]",
    )
    loops: bool = Field(True, description="look for places seen again later in a sequence")
    loop_min_inliers: int = Field(
        40, ge=15, le=1000, description="matches that agree, to believe a loop [matches]"
    )
    exhaustive_photos: int = Field(
        40, ge=2, le=1000, description="up to so many photos, all pairs are matched [photos]"
    )
    photo_partners: int = Field(
        20, ge=2, le=200, description="above that, look-alikes matched with each photo [photos]"
    )
    refine_intrinsics: bool = Field(
        False, description="refine given intrinsics too (unknown ones always are)"
    )
    moving: Literal["mask", "keep"] = Field(
        "mask", description="whether things that move by themselves are left out of the model"
    )
    min_model_fraction: float = Field(
        0.9,
        ge=0.0,
        le=1.0,
        description="other settings are tried while the largest model has less of the key frames",
    )

    @field_validator("scale")
    @classmethod
    def _is_a_known_length(cls, scale: str) -> str:
        parse_scale(scale)
        return scale
