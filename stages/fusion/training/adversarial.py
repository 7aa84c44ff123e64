"""An adversary in training: fused depth that cannot be told from true depth.

A patch discriminator (PatchGAN, Isola et al., CVPR 2017) sees depth and normals. One optimizer
serves both sides: the gradient that reaches the fusion network is reversed (Ganin & Lempitsky,
ICML 2015), so what helps to tell true from fused teaches the network to leave less to tell.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from stages.fusion.recurrent.network import FusionNetwork, FusionOutput
from stages.fusion.training.losses import NORMAL_STEP_PX, Truth, normals

WIDTHS = (24, 48, 64)
CHANNELS = 4
# Depth is seen relative to its surroundings of this size.
SURROUNDINGS_PX = 33
DEPTH_SCALE = 10.0


class ReversedGradient(torch.autograd.Function):
    """The identity, whose gradient is multiplied by a negative number."""

    @staticmethod
    def forward(context: Any, values: Tensor, strength: float) -> Tensor:
        """The values as they are."""
        context.strength = strength
        return values.view_as(values)

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        """The gradient reversed."""
        return -context.strength * gradients[0], None


class PatchDiscriminator(nn.Module):
    """Tells true from fused depth, patch by patch."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = CHANNELS
        for width in WIDTHS:
            layers += [spectral_norm(nn.Conv2d(before, width, 4, 2, 1)), nn.LeakyReLU(0.2)]
            before = width
        layers.append(spectral_norm(nn.Conv2d(before, 1, 3, 1, 1)))
        self.layers = nn.Sequential(*layers)

    def forward(self, log_inverse_bhw: Tensor, k_b33: Tensor) -> Tensor:
        """Logits (b, 1, h/8, w/8), high for true."""
        logits: Tensor = self.layers(_shape(log_inverse_bhw, k_b33))
        return logits


class AdversarialFusion(nn.Module):
    """The fusion network with its adversary.

    Args:
        network: to be trained.
        weight: of the adversary's gradient in the network.
    """

    def __init__(self, network: FusionNetwork, weight: float) -> None:
        super().__init__()
        self.network = network
        self.discriminator = PatchDiscriminator()
        self.weight = weight

    def game(self, output: FusionOutput, truth: Truth) -> Tensor:
        """Loss of the adversary; the network gets its gradient reversed.

        Where nothing is known both sides see the fused depth, so it tells nothing.
        """
        fused = output.log_inverse_bhw
        real = torch.where(truth.known_bhw, truth.log_inverse_bhw, fused.detach())
        fooling: Any = ReversedGradient.apply(fused, self.weight)  # type: ignore[no-untyped-call]
        true_logits = self.discriminator(real, truth.k_b33)
        fused_logits = self.discriminator(fooling, truth.k_b33)
        return F.softplus(-true_logits).mean() + F.softplus(fused_logits).mean()


def _shape(log_inverse_bhw: Tensor, k_b33: Tensor) -> Tensor:
    """Depth relative to its surroundings, and normals (b, 4, h − 4, w − 4)."""
    inner = slice(NORMAL_STEP_PX, -NORMAL_STEP_PX)
    depth = log_inverse_bhw[:, None]
    around = F.avg_pool2d(depth, SURROUNDINGS_PX, 1, SURROUNDINGS_PX // 2, count_include_pad=False)
    relative = torch.tanh(DEPTH_SCALE * (depth - around))[..., inner, inner]
    return torch.cat([relative, normals(log_inverse_bhw, k_b33)], 1)
