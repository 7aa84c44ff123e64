"""What the mapper is given."""

from __future__ import annotations

from dataclasses import dataclass

from mvrecon.artifacts.frames import CameraPrior, FrameTable
from mvrecon.engine.stage import StageContext
from stages.pose.config import PoseConfig
from stages.pose.images import stored_image
from stages.pose.matching.features import FeatureMatches


@dataclass(frozen=True)
class MappingProblem:
    """Input of the mapper.

    Attributes:
        names: image names, without folder.
        cameras: prior intrinsics.
        fixed_cameras: whether each camera stays as it is.
        camera_of_image: index of the camera of each image.
        features: keypoints and matches.
    """

    names: tuple[str, ...]
    cameras: tuple[CameraPrior, ...]
    fixed_cameras: tuple[bool, ...]
    camera_of_image: tuple[int, ...]
    features: FeatureMatches


def mapping_problem(
    context: StageContext[PoseConfig], table: FrameTable, features: FeatureMatches
) -> MappingProblem:
    """The problem of the key frames, with cameras as they are known before mapping."""
    refined = context.config.mapping.refine_intrinsics
    return MappingProblem(
        names=tuple(stored_image(context, frame.name).name for frame in table.key_frames),
        cameras=table.cameras,
        fixed_cameras=tuple(prior.source == "given" and not refined for prior in table.cameras),
        camera_of_image=tuple(frame.camera for frame in table.key_frames),
        features=features,
    )
