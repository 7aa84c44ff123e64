"""The robust energy of classical flow, in torch: what refinement and label-free training minimise.

Σ ρ(I(x) − I′(x + F)) on the image and on its census transform, and edge-aware smoothness,
after Brox et al. (ECCV 2004) and, for the census term and its weights, UFlow (Jonschkowski
et al., ECCV 2020).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from stages.flow.mvflow_correlation import warp

CENSUS_SIDE = 7
CENSUS_SPREAD = 0.9
EDGE_SHARPNESS = 50.0
GREY = (0.299, 0.587, 0.114)


@dataclass(frozen=True)
class EnergyWeights:
    """Weights of the terms.

    Attributes:
        photometric: of the robust difference of grey values in 0…1.
        census: of the robust difference of census transforms.
        smoothness: of the flow's differences between neighbours, less across image edges.
    """

    photometric: float = 1.0
    census: float = 1.0
    smoothness: float = 0.02


def flow_energy(
    first_b3hw: Tensor,
    second_b3hw: Tensor,
    flow_b2hw: Tensor,
    visible_bhw: Tensor,
    weights: EnergyWeights,
) -> Tensor:
    """Mean energy of a flow over the pixels that are seen in both images.

    Args:
        first_b3hw: RGB in 0…1.
        second_b3hw: the same size.
        flow_b2hw: first → second, pixels.
        visible_bhw: which pixels' colours count, as numbers.
        weights: of the terms.
    """
    grey_1, grey_2 = _grey(first_b3hw), _grey(second_b3hw)
    warped = warp(grey_2, flow_b2hw)
    visible_b1hw = visible_bhw[:, None].float()
    total = visible_b1hw.sum().clamp(min=1.0)
    photometric = (charbonnier(grey_1 - warped, 0.01) * visible_b1hw).sum() / total
    census = (census_distance(grey_1, warped) * visible_b1hw).sum() / total
    return (
        weights.photometric * photometric
        + weights.census * census
        + weights.smoothness * smoothness(flow_b2hw, first_b3hw)
    )


def charbonnier(difference: Tensor, scale: float) -> Tensor:
    """ρ(d) = √(d² + scale²), the smooth absolute value."""
    return (difference.square() + scale * scale).sqrt()


def census_distance(first_b1hw: Tensor, second_b1hw: Tensor) -> Tensor:
    """Soft Hamming distance (b, 1, h, w) of the 7×7 census transforms, as a share in 0…1."""
    difference = (_census(first_b1hw) - _census(second_b1hw)).square()
    return (difference / (0.1 + difference)).mean(1, keepdim=True)


def _census(image_b1hw: Tensor) -> Tensor:
    """Each neighbour's difference to the centre, squashed to −1…1 (49 channels)."""
    height, width = image_b1hw.shape[-2:]
    near = F.unfold(F.pad(image_b1hw * 255.0, (3, 3, 3, 3), "replicate"), CENSUS_SIDE)
    difference = near.view(-1, CENSUS_SIDE**2, height, width) - image_b1hw * 255.0
    return difference / (CENSUS_SPREAD**2 + difference.square()).sqrt()


def smoothness(flow_b2hw: Tensor, image_b3hw: Tensor) -> Tensor:
    """Mean robust difference of the flow to its right and lower neighbours, less over edges."""
    terms = []
    for axis in (2, 3):
        change = charbonnier(torch.diff(flow_b2hw, dim=axis), 0.01)
        edge = torch.diff(image_b3hw, dim=axis).abs().mean(1, keepdim=True)
        terms.append((change * torch.exp(-EDGE_SHARPNESS * edge)).mean())
    return terms[0] + terms[1]


def consistent(forward_b2hw: Tensor, backward_b2hw: Tensor) -> Tensor:
    """Where (b, h, w) the flow back returns to the start (Sundaram et al., ECCV 2010)."""
    back = warp(backward_b2hw, forward_b2hw)
    miss = (forward_b2hw + back).square().sum(1)
    size = forward_b2hw.square().sum(1) + back.square().sum(1)
    return miss < 0.01 * size + 0.5


def _grey(image_b3hw: Tensor) -> Tensor:
    return (image_b3hw * image_b3hw.new_tensor(GREY).view(1, 3, 1, 1)).sum(1, keepdim=True)
