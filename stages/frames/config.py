"""Options of the frames stage."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator, model_validator

from mvrecon.engine.config import ADVANCED, ContentPath, OptionGroup, StageConfig


class SelectionOptions(OptionGroup):
    """What bounds the choice of key frames besides the parallax."""

    min_sharpness: float = Field(
        0.65,
        ge=0,
        le=1,
        description="sharpness below which a frame of a sequence counts as blurred: there is a "
        "better one near by [of the median of its neighbours']",
        json_schema_extra=ADVANCED,
    )
    min_photo_sharpness: float = Field(
        0.45,
        ge=0,
        le=1,
        description="the same for photos, which are left out only if they are clearly bad",
        json_schema_extra=ADVANCED,
    )
    min_overlap: float = Field(
        0.6,
        ge=0,
        le=1,
        description="corners still seen from one key frame to the next, more where contrast is "
        "low [share]",
        json_schema_extra=ADVANCED,
    )


class FramesConfig(StageConfig):
    """Options of the frames stage."""

    max: int | None = Field(
        None,
        ge=2,
        description="most key frames to choose, none: as many as it takes; above it those go that "
        "their neighbours need least, and a warning tells the cost [frames]",
    )
    max_size: int = Field(
        1280, ge=64, le=16384, description="bound of the longer side of the stored key frames [px]"
    )
    min_parallax: float = Field(
        0.025,
        ge=0.002,
        le=0.3,
        description="image motion from one key frame to the next, less where less of the view is "
        "found again [fraction of the diagonal]",
    )
    kind: Literal["auto", "sequence", "photos"] = Field(
        "auto", description="whether neighbours overlap; auto: measured for a folder"
    )
    camera: tuple[float, ...] | None = Field(
        None,
        description="FOCAL or FX,FY,CX,CY or FX,FY,CX,CY,K1,K2,P1,P2 of the original upright "
        "frames, pixel centres at integers [px]",
    )
    cameras: Literal["each", "shared"] = Field(
        "each",
        description="of several inputs: each has a camera of its own, or frames of one size share "
        "one; photos whose EXIF says the same always do",
    )
    bars: Literal["auto", "keep"] = Field(
        "auto", description="whether black bars beside the picture, the same in all frames, are cut"
    )
    projection: Literal["auto", "flat", "equirect", "fisheye"] = Field(
        "auto",
        description="of the frames: flat, equirect (360 degrees, cut into four views) or fisheye "
        "(seen through a flat view, needs field_deg); auto: equirect where the file says so",
    )
    field_deg: float | None = Field(
        None, gt=20, le=340, description="field of view of a fisheye across the frame's width [deg]"
    )
    masks: ContentPath = Field(
        None,
        description="folder of masks named after the images, or by the number of the video's "
        "frame: what is black is left out of features, depth and surface; none: the images' own "
        "alpha channel",
    )
    start_s: float = Field(0.0, ge=0, description="leave out the video before this time [s]")
    end_s: float | None = Field(
        None, gt=0, description="leave out the video after this time, none: to its end [s]"
    )
    every_frame: bool = Field(
        False, description="all frames become key frames, but for duplicates and dark ones"
    )
    jpeg_quality: int = Field(
        97,
        ge=50,
        le=100,
        description="of the stored key frames [percent]",
        json_schema_extra=ADVANCED,
    )
    selection: SelectionOptions = SelectionOptions()

    @field_validator("camera")
    @classmethod
    def _has_all_intrinsics(cls, camera: tuple[float, ...] | None) -> tuple[float, ...] | None:
        if camera is not None and len(camera) not in (1, 4, 8):
            raise ValueError("FOCAL or FX,FY,CX,CY or FX,FY,CX,CY,K1,K2,P1,P2")
        return camera

    @model_validator(mode="after")
    def _ends_after_start(self) -> FramesConfig:
        if self.end_s is not None and self.end_s <= self.start_s:
            raise ValueError(f"end_s above start_s ({self.start_s:g})")
        return self
