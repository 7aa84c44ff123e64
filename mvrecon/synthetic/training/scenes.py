"""The mixture of scenes that training sees."""

from __future__ import annotations

from torch import Tensor

from mvrecon.synthetic.training.batch import Draws, FlowBatch
from mvrecon.synthetic.training.layered import LayeredSettings, layered_batch
from mvrecon.synthetic.training.rigid import RigidSettings, rigid_batch


def scene_batch(
    textures_nhw3: Tensor, draws: Draws, size_hw: tuple[int, int], count: int
) -> FlowBatch:
    """Half the pairs from layered and half from rigid scenes."""
    rigid = count // 2
    parts = [layered_batch(textures_nhw3, draws, size_hw, count - rigid, LayeredSettings())]
    if rigid:
        parts.append(rigid_batch(textures_nhw3, draws, size_hw, rigid, RigidSettings()))
    return FlowBatch.concatenate(parts)
