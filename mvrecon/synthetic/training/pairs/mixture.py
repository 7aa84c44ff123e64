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
# The same for scenes of things that fly about, that of the slowest ones, and how far they go.
FLYING_MOTION = 0.01, 0.25
FLYING_FARTHEST = 0.9


def scene_pairs(
    textures_nhw3: Tensor, draws: Draws, size_hw: tuple[int, int], layered: int, rigid: int
) -> FlowPairs:
    """So many pairs of layered scenes, then so many of rigid ones."""
    largest_px = LARGEST_MOTION * size_hw[1]
    layers = LayeredSettings(largest_motion_px=largest_px)
    ranges = (layers, RigidSettings(largest_motion_px=largest_px))
    return _both_kinds(textures_nhw3, draws, size_hw, (layered, rigid), ranges)


def flying_pairs(
    textures_nhw3: Tensor, draws: Draws, size_hw: tuple[int, int], layered: int, rigid: int
) -> FlowPairs:
    """The same of things that move far, up to the image's width, over what lies far behind.

    In the manner of FlyingThings3D (Mayer et al., CVPR 2016): things are nearer to the camera
    than in other rigid scenes, some are large, and most of them move; where the camera moves
    sideways, as from one eye to the other, none does.
    """
    smallest_px, largest_px = (share * size_hw[1] for share in FLYING_MOTION)
    ranges = (
        LayeredSettings(
            smallest_motion_px=smallest_px,
            largest_motion_px=largest_px,
            farthest_px=FLYING_FARTHEST * size_hw[1],
        ),
        RigidSettings(
            smallest_px, largest_px, moving_share=0.8, depths=(1.2, 7.0), largest_share=0.5
        ),
    )
    return _both_kinds(textures_nhw3, draws, size_hw, (layered, rigid), ranges)


def _both_kinds(
    textures_nhw3: Tensor,
    draws: Draws,
    size_hw: tuple[int, int],
    counts: tuple[int, int],
    ranges: tuple[LayeredSettings, RigidSettings],
) -> FlowPairs:
    parts = []
    if counts[0]:
        parts.append(layered_pairs(textures_nhw3, draws, size_hw, counts[0], ranges[0]))
    if counts[1]:
        parts.append(rigid_pairs(textures_nhw3, draws, size_hw, counts[1], ranges[1]))
    return FlowPairs.concatenate(parts)
