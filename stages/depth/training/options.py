"""What `mvrecon train depth` is told."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from mvrecon.learning.options import TrainOptions
from mvrecon.learning.settings import TrainingSettings
from mvrecon.options import Argument

VIEWS_PER_CLIP = 3
SETTINGS = TrainingSettings(
    steps=20_000, decay_steps=4_000, batch=VIEWS_PER_CLIP, learning_rate=1e-3, average=0.995
)


class TrainDepthOptions(TrainOptions):
    """Training on rendered clips."""

    clips: Path | None = Field(None, description="folder of posed clips, DIR/clips by default")
    count: int = Field(300, ge=1, description="clips: those that are missing are rendered first")
    textures: Path | None = Field(
        None, description="folder of images for the scenes, noise by default"
    )
    meshes: Path | None = Field(
        None, description="folder of OBJ, OFF, PLY or GLB for the scenes of open3d"
    )
    renderer: Literal["open3d", "torch"] = Field(
        "open3d",
        description="of missing clips: furnished scenes of triangles, or solids cast in torch on "
        "--device",
    )
    without: Annotated[str | None, Argument(metavar="KIND")] = Field(
        None, description="kind of scene to validate on instead of training on it"
    )
    steps: int | None = Field(
        None, ge=1, description="at which the learning rate has fallen to zero"
    )
    settings: Annotated[TrainingSettings, Argument(offered=False)] = Field(
        SETTINGS, description="of the training, but for steps that are given"
    )
