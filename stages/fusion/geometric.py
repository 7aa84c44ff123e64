"""The geometric fusion of a view: the depth that it and its neighbours agree on best.

How that is found is told in `mvrecon.multiview.consensus`.
"""

from __future__ import annotations

from mvrecon.artifacts.depth import DepthMap
from mvrecon.multiview.consensus import fuse
from stages.fusion.inputs import FusionInputs


def fuse_by_consensus(inputs: FusionInputs, row: int) -> DepthMap:
    """Fuse the depth of one view with that of its neighbours."""
    others = [inputs.depth(other) for other in inputs.neighbors(row)]
    return fuse(inputs.depth(row), others, inputs.config.tolerance)
