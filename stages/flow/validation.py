"""How good a network is on synthetic pairs that training does not see."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mvrecon.formats.flow_colours import flow_to_rgb
from mvrecon.synthetic.training.augmentation import augment
from mvrecon.synthetic.training.batch import Draws, FlowBatch
from mvrecon.synthetic.training.scenes import scene_batch
from stages.flow.mvflow_losses import endpoint_error
from stages.flow.mvflow_network import Mvflow, probability_within
from stages.flow.mvflow_start import dis_starts

SEED = 7_000_003
LARGE_MOTION_PX = 10.0
KEPT_SHARE = 0.8


@dataclass(frozen=True)
class ValidationPairs:
    """Held-out pairs and their initial flow (DIS, unspoilt)."""

    batch: FlowBatch
    start_b2hw: Tensor


def validation_pairs(
    textures_nhw3: Tensor, count: int, size_hw: tuple[int, int]
) -> ValidationPairs:
    """The same pairs each time, from a seed that training does not use."""
    draws = Draws(SEED, 0, textures_nhw3.device)
    batch = augment(scene_batch(textures_nhw3, draws, size_hw, count), draws)
    return ValidationPairs(batch, dis_starts(batch.first_b3hw, batch.second_b3hw))


def validate(network: Mvflow, pairs: ValidationPairs, picture: Path) -> dict[str, float]:
    """Endpoint errors over visible pixels (mean, px), all and by size of motion.

    `kept`: the error that is left when the least certain fifth of the pixels is dropped.
    Writes a picture of the first pair: images above, then true, initial and found flow.
    """
    flows, probabilities = [], []
    batch, start = pairs.batch, pairs.start_b2hw
    with torch.inference_mode():
        for one in range(len(start)):
            part = slice(one, one + 1)
            output = network(batch.first_b3hw[part], batch.second_b3hw[part], start[part])
            flows.append(output.flow_b2hw)
            probabilities.append(probability_within(output.mixture_b3hw))
    flow, probability = torch.cat(flows), torch.cat(probabilities)
    _draw(pairs, flow, picture)
    seen = batch.visible_bhw
    error, start_error = (endpoint_error(f, batch.flow_b2hw)[seen] for f in (flow, start))
    large = batch.flow_b2hw.norm(dim=1)[seen] > LARGE_MOTION_PX
    certain = probability[seen].argsort(descending=True)[: round(KEPT_SHARE * int(seen.sum()))]
    return {
        "validation_epe_px": float(error.mean()),
        "validation_start_epe_px": float(start_error.mean()),
        "validation_large_epe_px": float(error[large].mean()),
        "validation_start_large_epe_px": float(start_error[large].mean()),
        "validation_kept_epe_px": float(error[certain].mean()),
    }


def _draw(pairs: ValidationPairs, flow_b2hw: Tensor, path: Path) -> None:
    images = (pairs.batch.first_b3hw[0], pairs.batch.second_b3hw[0])
    flows = (pairs.batch.flow_b2hw[0], pairs.start_b2hw[0], flow_b2hw[0])
    largest_px = float(flows[0].norm(dim=0).flatten().quantile(0.99))
    panels: list[NDArray[np.uint8]] = [
        (image.permute(1, 2, 0) * 255).byte().cpu().numpy() for image in images
    ]
    panels += [flow_to_rgb(f.permute(1, 2, 0).cpu().numpy(), largest_px) for f in flows]
    cv2.imwrite(str(path), np.concatenate(panels, 1)[..., ::-1])
