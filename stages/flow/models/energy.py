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

from stages.flow.models.warp import warp

# Of the census transform: side of its window in pixels; differences of grey (0…255) well above
# the spread count by their sign alone (UFlow).
CENSUS_SIDE = 5
CENSUS_SPREAD = 0.9
# Squared difference of two census values that counts half.
CENSUS_TOLERANCE = 0.1
# Smoothness falls to 1/e across an image difference of 0.05 of the range.
EDGE_SHARPNESS = 20.0
# Differences well below this, of grey in 0…1 or of flow in pixels, count by their square.
ROBUST_SCALE = 0.01
# The way back may miss by √(1 % of the squared flows + 0.5 px²) (Sundaram et al., ECCV 2010).
MISS_SHARE, MISS_PX2 = 0.01, 0.5
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
    smoothness: float = 1.0


class FlowEnergy:
    """Mean energy of a flow between two images.

    Args:
        first_b3hw: RGB in 0…1.
        second_b3hw: the same size.
        weights: of the terms.
    """

    def __init__(self, first_b3hw: Tensor, second_b3hw: Tensor, weights: EnergyWeights) -> None:
        self.weights = weights
        self._first, self._second = grey(first_b3hw), grey(second_b3hw)
        self._census = census(self._first)
        self._flatness = tuple(
            torch.exp(-EDGE_SHARPNESS * torch.diff(first_b3hw, dim=axis).abs().mean(1, True))
            for axis in (2, 3)
        )

    def __call__(self, flow_b2hw: Tensor, visible_bhw: Tensor) -> Tensor:
        """Energy of a flow in pixels; only pixels seen in both images count for the colours."""
        warped = warp(self._second, flow_b2hw)
        share_b1hw = visible_bhw[:, None].float()
        share_b1hw = share_b1hw / share_b1hw.sum().clamp(min=1.0)
        photometric = (charbonnier(self._first - warped, ROBUST_SCALE) * share_b1hw).sum()
        structure = (census_distance(self._census, census(warped)) * share_b1hw).sum()
        return (
            self.weights.photometric * photometric
            + self.weights.census * structure
            + self.weights.smoothness * self.smoothness(flow_b2hw)
        )

    def smoothness(self, flow_b2hw: Tensor) -> Tensor:
        """Mean robust difference of the flow to its neighbours, less over image edges."""
        down, right = (
            (charbonnier(torch.diff(flow_b2hw, dim=axis), ROBUST_SCALE) * flatness).mean()
            for axis, flatness in zip((2, 3), self._flatness, strict=True)
        )
        return down + right


def charbonnier(difference: Tensor, scale: float) -> Tensor:
    """ρ(d) = √(d² + scale²), the smooth absolute value."""
    return (difference.square() + scale * scale).sqrt()


def census_distance(first_bkhw: Tensor, second_bkhw: Tensor) -> Tensor:
    """Soft Hamming distance (b, 1, h, w) of census transforms, as a share in 0…1."""
    difference = (first_bkhw - second_bkhw).square()
    return (difference / (CENSUS_TOLERANCE + difference)).mean(1, keepdim=True)


def census(image_b1hw: Tensor) -> Tensor:
    """Each neighbour's difference to the centre, squashed to −1…1 (25 channels)."""
    height, width = image_b1hw.shape[-2:]
    margin = CENSUS_SIDE // 2
    levels = 255.0 * image_b1hw
    near = F.unfold(F.pad(levels, (margin,) * 4, "replicate"), CENSUS_SIDE)
    difference = near.view(-1, CENSUS_SIDE**2, height, width) - levels
    return difference * (CENSUS_SPREAD**2 + difference.square()).rsqrt()


def consistent(forward_b2hw: Tensor, backward_b2hw: Tensor) -> Tensor:
    """Where (b, h, w) the flow back returns to the start (Sundaram et al., ECCV 2010)."""
    back = warp(backward_b2hw, forward_b2hw)
    miss = (forward_b2hw + back).square().sum(1)
    size = forward_b2hw.square().sum(1) + back.square().sum(1)
    return miss < MISS_SHARE * size + MISS_PX2


def grey(image_b3hw: Tensor) -> Tensor:
    """Luma (b, 1, h, w)."""
    return (image_b3hw * image_b3hw.new_tensor(GREY).view(1, 3, 1, 1)).sum(1, keepdim=True)
