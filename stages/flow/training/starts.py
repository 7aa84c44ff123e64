"""The initial flows that training gives mvflow: DIS, some of it spoilt."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from mvrecon.synthetic.training.batch import Draws
from stages.flow.models.dis import START_PRESET, START_REFINEMENTS, dis_search, search
from stages.flow.models.energy import grey

if TYPE_CHECKING:
    from stages.flow.config import DisPreset

# Of the pairs: with the preset of use, with no initial flow at all, with patches that are wrong.
MEDIUM_SHARE = 0.6
DROPPED_SHARE = 0.1
SPOILT_SHARE = 0.12
# Size of the patches, and of the bumps of the error in them.
PATCH_PX = 48
SPOILT_PX = (0.3, 30.0)
QUICKER: tuple[DisPreset, ...] = ("ultrafast", "fast")


def training_start(first_b3hw: Tensor, second_b3hw: Tensor, draws: Draws) -> Tensor:
    """Initial flows (b, 2, h, w): mostly DIS, some spoilt so that mvflow learns to recover."""
    presets = training_presets(len(first_b3hw), draws)
    return spoil(dis_starts(first_b3hw, second_b3hw, presets), draws)


def training_presets(count: int, draws: Draws) -> list[DisPreset]:
    """Which DIS each of the pairs starts from."""
    medium = draws.coin(MEDIUM_SHARE, count).tolist()
    quicker = draws.integers(0, 2, count).tolist()
    return [
        "medium" if is_medium else QUICKER[other]
        for is_medium, other in zip(medium, quicker, strict=True)
    ]


def dis_starts(
    first_b3hw: Tensor,
    second_b3hw: Tensor,
    presets: Sequence[DisPreset] | None = None,
    executor: Executor | None = None,
) -> Tensor:
    """Flow (b, 2, h, w) of DIS, with a preset for each pair; if None as mvflow starts in use.

    With an executor, whose threads may be many, several pairs are worked on at a time.
    """
    # One search for each: they keep buffers that threads must not share.
    if presets is None:
        searches = [dis_search(START_PRESET, START_REFINEMENTS) for _ in first_b3hw]
    else:
        searches = [dis_search(preset) for preset in presets]
    run = map if executor is None else executor.map
    found = run(search, searches, _to_grey(first_b3hw), _to_grey(second_b3hw))
    flows_hw2 = [torch.from_numpy(flow_hw2) for flow_hw2 in found]
    return torch.stack(flows_hw2).to(first_b3hw.device).permute(0, 3, 1, 2).contiguous()


def _to_grey(image_b3hw: Tensor) -> NDArray[np.uint8]:
    """Luma (b, h, w) of RGB in 0…1."""
    levels_bhw = grey(image_b3hw)[:, 0] * 255.0
    return np.asarray(levels_bhw.round().clamp(0, 255).to(torch.uint8).cpu().numpy())


def spoil(flow_b2hw: Tensor, draws: Draws) -> Tensor:
    """Drop some flows, and add smooth errors of up to tens of pixels to patches of others."""
    count, _, height, width = flow_b2hw.shape
    cells = (height // PATCH_PX + 2, width // PATCH_PX + 2)
    error = F.interpolate(
        draws.normal(count, 2, *cells), (height, width), mode="bicubic", align_corners=True
    )
    amplitude_px = draws.log_uniform(*SPOILT_PX, count, 1, 1, 1)
    patch = F.interpolate(
        draws.normal(count, 1, *cells), (height, width), mode="bilinear", align_corners=True
    )
    spoilt = (patch > 0.3) & draws.coin(SPOILT_SHARE, count, 1, 1, 1)
    flow_b2hw = flow_b2hw + torch.where(spoilt, amplitude_px, 0.0) * error
    return torch.where(draws.coin(DROPPED_SHARE, count, 1, 1, 1), 0.0, flow_b2hw)
