"""The mixture of scenes that training sees."""

from __future__ import annotations

from torch import Tensor

from mvrecon.synthetic.training.batch import Draws, FlowBatch
from mvrecon.synthetic.training.layered import LayeredSettings, layered_batch
from mvrecon.synthetic.training.rigid import RigidSettings, rigid_batch

# Typical motion of the fastest scenes, as a share of the image's width.
LAYERED_MOTION = 0.14
RIGID_MOTION = 0.12


def scene_batch(
    textures_nhw3: Tensor, draws: Draws, size_hw: tuple[int, int], count: int
) -> FlowBatch:
    """Half the pairs from layered and half from rigid scenes."""
    rigid = count // 2
    layered = LayeredSettings(largest_motion_px=LAYERED_MOTION * size_hw[1])
    parts = [layered_batch(textures_nhw3, draws, size_hw, count - rigid, layered)]
    if rigid:
        settings = RigidSettings(largest_motion_px=RIGID_MOTION * size_hw[1])
        parts.append(rigid_batch(textures_nhw3, draws, size_hw, rigid, settings))
    return FlowBatch.concatenate(parts)
