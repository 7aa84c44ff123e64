"""The pipelines that commands run: which stages, what they leave, which report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from mvrecon.commands.foreign import with_foreign
from mvrecon.engine.config import StageConfig
from mvrecon.engine.stage import Stage
from mvrecon.errors import UsageError
from stages.mending.config import MendConfig
from stages.pipeline import PIPELINE
from stages.volume_pipeline import VOLUME_PIPELINE


@dataclass(frozen=True)
class Pipeline:
    """What a command runs.

    Attributes:
        command: its name.
        stages: in their order.
        outputs: names in the run directory that are told at the end.
        mends: whether the run judges its own evidence and tries remedies.
    """

    command: str
    stages: tuple[Stage[Any], ...]
    outputs: tuple[str, ...]
    mends: bool = False

    @property
    def names(self) -> list[str]:
        """Of the stages."""
        return [stage.name for stage in self.stages]

    @property
    def config_classes(self) -> dict[str, type[StageConfig]]:
        """Options by stage name, with those of mending."""
        classes = {stage.name: stage.config for stage in self.stages}
        return classes | ({MEND: MendConfig} if self.mends else {})


MEND = "mend"
RUN, VOLUME = "run", "volume"
PIPELINES = {
    RUN: Pipeline(
        RUN, PIPELINE, ("mesh.ply", "mesh.glb", "cloud.ply", "trajectory.txt"), mends=True
    ),
    VOLUME: Pipeline(VOLUME, VOLUME_PIPELINE, ("mesh.ply", "mesh.glb", "parts", "pieces.json")),
}


# Those whose options remedies change and whose numbers they go by.
MENDED = {"frames", "flow", "pose", "depth"}


def pipeline_of(command: str, used: Sequence[str] = ()) -> Pipeline:
    """The pipeline that a run directory was made by.

    Args:
        command: that it was made by.
        used: stages of other packages; where one of them is to be judged, nothing is mended.

    Raises:
        UsageError: a later version made it, or a package is not as it was.
    """
    if command not in PIPELINES:
        raise UsageError(f"the run was made by mvrecon {command}", "Use a newer mvrecon")
    pipeline = PIPELINES[command]
    stages = with_foreign(pipeline.stages, used)
    foreign = {stage.name for stage in stages if stage.provider}
    return replace(pipeline, stages=stages, mends=pipeline.mends and not foreign & MENDED)
