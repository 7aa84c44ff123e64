"""The ordered list of the stages of a volume: the only place that knows their order."""

from __future__ import annotations

from typing import Any

from mvrecon.engine.stage import Stage
from stages.volume.denoise.stage import STAGE as DENOISE
from stages.volume.load.stage import STAGE as LOAD
from stages.volume.mesh.stage import STAGE as MESH
from stages.volume.segment.stage import STAGE as SEGMENT

VOLUME_PIPELINE: tuple[Stage[Any], ...] = (LOAD, DENOISE, SEGMENT, MESH)
