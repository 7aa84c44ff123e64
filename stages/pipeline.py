"""The ordered list of stages: the only place that knows the order."""

from __future__ import annotations

from typing import Any

from mvrecon.engine.config import StageConfig
from mvrecon.engine.stage import Stage
from stages.depth.stage import STAGE as DEPTH
from stages.flow.stage import STAGE as FLOW
from stages.frames.stage import STAGE as FRAMES
from stages.fusion.stage import STAGE as FUSION
from stages.pose.stage import STAGE as POSE
from stages.surface.stage import STAGE as SURFACE
from stages.texture.stage import STAGE as TEXTURE

PIPELINE: tuple[Stage[Any], ...] = (FRAMES, FLOW, POSE, DEPTH, FUSION, SURFACE, TEXTURE)
STAGE_NAMES = [stage.name for stage in PIPELINE]
CONFIG_CLASSES: dict[str, type[StageConfig]] = {stage.name: stage.config for stage in PIPELINE}
