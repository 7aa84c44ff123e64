"""Options of the pose stage."""

from __future__ import annotations

from collections.abc import Collection
from typing import ClassVar

from pydantic import Field, field_validator

from mvrecon.engine.config import ContentPath, StageConfig
from mvrecon.geometry.camera import Camera
from stages.pose.options import (
    BridgeOptions,
    LoopOptions,
    MappingOptions,
    MovingOptions,
    PhotoOptions,
    TrackOptions,
)
from stages.pose.world.scale_option import parse_scale


class PoseConfig(StageConfig):
    """Options of the pose stage."""

    renamed: ClassVar = {
        "tracks": "tracks.per_frame",
        "min_track_length": "tracks.min_length",
        "min_flow_confidence": "tracks.min_flow_confidence",
        "sift_max_size": "photos.size",
        "sift_features": "photos.features",
        "exhaustive_photos": "photos.exhaustive",
        "photo_partners": "photos.partners",
        "bridge_max_size": "bridges.size",
        "loops": "loops.enabled",
        "loop_min_inliers": "loops.min_inliers",
        "mapper": "mapping.mapper",
        "max_error": "mapping.max_error",
        "refine_intrinsics": "mapping.refine_intrinsics",
        "min_model_fraction": "mapping.min_model_fraction",
        "moving": "moving.mode",
    }

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
    tracks: TrackOptions = TrackOptions()
    photos: PhotoOptions = PhotoOptions()
    bridges: BridgeOptions = BridgeOptions()
    loops: LoopOptions = LoopOptions()
    mapping: MappingOptions = MappingOptions()
    moving: MovingOptions = MovingOptions()

    @field_validator("scale")
    @classmethod
    def _is_a_known_length(cls, scale: str) -> str:
        parse_scale(scale)
        return scale

    def unused_groups(self) -> Collection[str]:
        """Loops, which known poses do not need, and moving things that are kept."""
        unused = {"loops": self.known is not None, "moving": self.moving.mode == "keep"}
        return [group for group, is_unused in unused.items() if is_unused]


def error_px(error: float, camera: Camera) -> float:
    """A bound given for images 1000 pixels wide, at the size of a camera's images [px].

    Of small images no more is asked than of those 500 pixels wide: a match has noise of its own.
    """
    return error * max(max(camera.width, camera.height) / 1000.0, 0.5)
