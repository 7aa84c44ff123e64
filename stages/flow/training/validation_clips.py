"""Held-out pairs of a kind that training never has: rooms, desks, facades and single things."""

from __future__ import annotations

from torch import Tensor

from mvrecon.synthetic.training.batch import FlowBatch
from mvrecon.synthetic.training.clips.clip_pairs import clip_pair
from mvrecon.synthetic.training.clips.render import texture_pyramid
from mvrecon.synthetic.training.clips.scenes import KINDS
from stages.flow.training.starts import dis_starts
from stages.flow.training.validation import SEED, ValidationPairs

SIZE_HW = (384, 512)
PAIRS = 8


def validation_clips(
    textures_nhw3: Tensor, count: int = PAIRS, size_hw: tuple[int, int] = SIZE_HW
) -> ValidationPairs:
    """The same pairs each time, the kinds of scene in turn; about 0.7 CPU-s a pair.

    Args:
        textures_nhw3: uint8, RGB; those that `split_textures` holds out.
        count: pairs.
        size_hw: of the images, px.
    """
    textures = texture_pyramid(textures_nhw3)
    kinds = tuple(list(KINDS)[index % len(KINDS)] for index in range(count))
    batch = FlowBatch.concatenate(
        [clip_pair(SEED + index, textures, kind, size_hw) for index, kind in enumerate(kinds)]
    )
    first_b3hw, second_b3hw = batch.first_b3hw, batch.second_b3hw
    starts = dis_starts(first_b3hw, second_b3hw), dis_starts(second_b3hw, first_b3hw)
    return ValidationPairs(batch, *starts, kinds)
