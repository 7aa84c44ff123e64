"""The mixture of layered and rigid scenes that flow is trained on."""

from __future__ import annotations

from torch import Tensor

from mvrecon.synthetic.training.batch import Draws, FlowPairs
from mvrecon.synthetic.training.pairs.layered import layered_pairs
from mvrecon.synthetic.training.pairs.layered_scenes import LayeredSettings
from mvrecon.synthetic.training.pairs.rigid import rigid_pairs
from mvrecon.synthetic.training.pairs.rigid_scenes import RigidSettings

# Typical motion of the fastest scenes, as a share of the image's width; single things move
# several times as far.
LARGEST_MOTION = 0.1


def scene_pairs(
    textures_nhw3: Tensor, draws: Draws, size_hw: tuple[int, int], layered: int, rigid: int
) -> FlowPairs:
    """So many pairs of layered scenes, then so many of rigid ones."""
    largest_px = LARGEST_MOTION * size_hw[1]
    parts = []
    if layered:
        ranges = LayeredSettings(largest_motion_px=largest_px)
        parts.append(layered_pairs(textures_nhw3, draws, size_hw, layered, ranges))
    if rigid:
        settings = RigidSettings(largest_motion_px=largest_px)
        parts.append(rigid_pairs(textures_nhw3, draws, size_hw, rigid, settings))
    return FlowPairs.concatenate(parts)
