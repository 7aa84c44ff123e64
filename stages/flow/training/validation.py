"""How good a network is on synthetic pairs that training does not see."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mvrecon.formats.flow_colours import flow_to_rgb
from mvrecon.formats.images import write_png
from mvrecon.synthetic.training.batch import Draws, FlowBatch, FlowPairs
from mvrecon.synthetic.training.clips.posed_clips import clip_pair
from mvrecon.synthetic.training.clips.render import texture_pyramid
from mvrecon.synthetic.training.clips.scenes import KINDS
from mvrecon.synthetic.training.pairs.augmentation import augment
from mvrecon.synthetic.training.pairs.mixture import scene_pairs
from stages.flow.models.mvflow.network import Mvflow, probability_within
from stages.flow.training.losses import endpoint_error
from stages.flow.training.starts import dis_starts

SEED = 7_000_003
# `large_`: of pixels that move by more. `far_share`: off by more, as KITTI counts. `kept_`: of
# this share of the pixels, the surest.
LARGE_MOTION_PX = 10.0
FAR_PX = 3.0
KEPT_SHARE = 0.8
CLIP_SIZE_HW = (384, 512)
CLIP_PAIRS = 8
# From textures, draws, size and how many layered and rigid scenes.
PairsOf = Callable[[Tensor, Draws, tuple[int, int], int, int], FlowPairs]


@dataclass(frozen=True)
class ValidationPairs:
    """Held-out pairs and their initial flow (DIS, unspoilt).

    Attributes:
        batch: first → second.
        start_b2hw: initial flow first → second.
        back_start_b2hw: initial flow second → first.
        kinds: of scene, one a pair.
    """

    batch: FlowBatch
    start_b2hw: Tensor
    back_start_b2hw: Tensor
    kinds: tuple[str, ...]


def validation_pairs(
    textures_nhw3: Tensor, count: int, size_hw: tuple[int, int], make: PairsOf = scene_pairs
) -> ValidationPairs:
    """The same layered and rigid pairs each time, from a seed that training does not use.

    Training has other scenes of these kinds: give textures that it does not have, and look at
    `validation_clips` too. `make`: `scene_pairs`, or `flying_pairs` for things that move far.
    """
    draws = Draws(SEED, size_hw[1], textures_nhw3.device)
    layered, rigid = count - count // 2, count // 2
    pairs = augment(make(textures_nhw3, draws, size_hw, layered, rigid), draws)
    first_b3hw, second_b3hw = pairs.forward.first_b3hw, pairs.forward.second_b3hw
    starts = dis_starts(first_b3hw, second_b3hw), dis_starts(second_b3hw, first_b3hw)
    kinds = ("layered",) * layered + ("rigid",) * rigid
    return ValidationPairs(pairs.forward, *starts, kinds)


def validate(network: Mvflow, pairs: ValidationPairs, picture: Path) -> dict[str, float]:
    """Endpoint errors (mean over pixels, px), all and of some kinds, before and after.

    Hidden pixels count, as they do in FlyingChairs and FlyingThings3D. `kept`: the error that
    is left when the least certain fifth of the pixels is dropped. `far_share`: visible pixels
    that are off by more than 3 px, on which a few hopeless areas weigh less. Writes a picture of
    the first and the last pair: images above, then true, initial and found flow.
    """
    flows, probabilities = [], []
    batch, start_b2hw = pairs.batch, pairs.start_b2hw
    with torch.inference_mode(), torch.autocast(start_b2hw.device.type, torch.bfloat16):
        for one in range(len(start_b2hw)):
            part = slice(one, one + 1)
            output = network(batch.first_b3hw[part], batch.second_b3hw[part], start_b2hw[part])
            flows.append(output.flow_b2hw)
            probabilities.append(probability_within(output.mixture_b3hw))
    flow_b2hw, probability_bhw = torch.cat(flows), torch.cat(probabilities)
    _draw(pairs, flow_b2hw, picture)
    error_bhw, start_bhw = (endpoint_error(f, batch.flow_b2hw) for f in (flow_b2hw, start_b2hw))
    everywhere_bhw = torch.ones_like(batch.visible_bhw)
    parts = {
        "": everywhere_bhw,
        "visible_": batch.visible_bhw,
        "large_": batch.flow_b2hw.norm(dim=1) > LARGE_MOTION_PX,
    }
    for kind in dict.fromkeys(pairs.kinds):
        of_kind_b = torch.tensor([one == kind for one in pairs.kinds])
        parts[f"{kind}_"] = everywhere_bhw & of_kind_b[:, None, None]
    numbers = {}
    for name, where_bhw in parts.items():
        numbers[f"validation_{name}epe_px"] = float(error_bhw[where_bhw].mean())
        numbers[f"validation_start_{name}epe_px"] = float(start_bhw[where_bhw].mean())
    order = probability_bhw.flatten().argsort(descending=True)
    kept = order[: round(KEPT_SHARE * len(order))]
    far_bhw = (error_bhw > FAR_PX) & batch.visible_bhw
    numbers["validation_far_share"] = float(far_bhw.sum() / batch.visible_bhw.sum())
    numbers["validation_kept_epe_px"] = float(error_bhw.flatten()[kept].mean())
    return numbers


def _draw(pairs: ValidationPairs, flow_b2hw: Tensor, path: Path) -> None:
    rows = []
    for pair in (0, -1):
        images = (pairs.batch.first_b3hw[pair], pairs.batch.second_b3hw[pair])
        flows = (pairs.batch.flow_b2hw[pair], pairs.start_b2hw[pair], flow_b2hw[pair])
        largest_px = float(np.quantile(flows[0].norm(dim=0).cpu().numpy(), 0.99))
        panels: list[NDArray[np.uint8]] = [
            (image.permute(1, 2, 0) * 255).byte().cpu().numpy() for image in images
        ]
        panels += [flow_to_rgb(f.permute(1, 2, 0).cpu().numpy(), largest_px) for f in flows]
        rows.append(np.concatenate(panels, 1))
    write_png(path, np.concatenate(rows))


def validation_clips(
    textures_nhw3: Tensor, count: int = CLIP_PAIRS, size_hw: tuple[int, int] = CLIP_SIZE_HW
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
