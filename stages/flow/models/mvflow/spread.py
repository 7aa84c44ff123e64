"""Flow carried from places that are sure of it to places of the same kind that are not.

Large surfaces without texture show their motion at their borders only. Each cell looks for
cells with a similar context, not far away, whose flow can be trusted, and is offered their
mean flow (attention as in GMA, Jiang et al., ICCV 2021, and GMFlow, Xu et al., CVPR 2022).
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# Numbers that a query and a key are compared by; three of them are place and trust.
WIDTH = 32
KINDS = WIDTH - 3
# Of these cells, in which distances are measured.
UNIT = 8.0
# Of the logarithm of trust: keeps its exponential finite in 16 bits.
LARGEST_TRUST = 10.0


class Spread(nn.Module):
    """Attention among cells of twice the size.

    Args:
        channels: of the context.
        seen: channels that tell how far a cell's flow can be trusted.
    """

    def __init__(self, channels: int, seen: int) -> None:
        super().__init__()
        self.query = nn.Conv2d(channels, KINDS, 1)
        self.key = nn.Conv2d(channels, KINDS, 1)
        self.trust = nn.Sequential(nn.Conv2d(seen, WIDTH, 1), nn.ReLU(), nn.Conv2d(WIDTH, 1, 1))
        self.log_falloff = nn.Parameter(torch.tensor(-0.7))

    def forward(self, context_bchw: Tensor, seen_bchw: Tensor, flow_b2hw: Tensor) -> Tensor:
        """Flow (b, 2, h, w) that similar, trusted cells have; h and w must be even."""
        trust = self.trust(seen_bchw).float().clamp(-LARGEST_TRUST, LARGEST_TRUST).exp()
        total = F.avg_pool2d(trust, 2)
        flow = F.avg_pool2d(trust * flow_b2hw, 2) / total
        # −a|p − q|² = 2a p·q − a|q|² − a|p|², of which the last is the same for all keys.
        falloff = self.log_falloff.exp()
        places = _places(flow)
        bias = total.log() - falloff * places.square().sum(1, keepdim=True)
        context = F.avg_pool2d(context_bchw, 2)
        own = self.query(context) / math.sqrt(KINDS)
        keys = torch.cat([self.key(context), places, bias], 1)
        queries = torch.cat([own, 2.0 * falloff * places, torch.ones_like(total)], 1)
        spread = F.scaled_dot_product_attention(
            _cells(queries, own.dtype),
            _cells(keys, own.dtype),
            _cells(F.pad(flow, (0, 0, 0, 0, 0, WIDTH - 2)), own.dtype),
            scale=1.0,
        )
        spread = spread[:, 0, :, :2].float().transpose(1, 2).reshape(flow.shape)
        return F.interpolate(spread, scale_factor=2.0, mode="bilinear", align_corners=False)


def _cells(image_bchw: Tensor, dtype: torch.dtype) -> Tensor:
    """One head of attention (b, 1, h·w, c), laid out as the fast kernels want it."""
    return image_bchw.to(dtype).permute(0, 2, 3, 1).flatten(1, 2)[:, None].contiguous()


def _places(flow_b2hw: Tensor) -> Tensor:
    """Cell positions (b, 2, h, w) from the centre of the image."""
    height, width = flow_b2hw.shape[-2:]
    x, y = (
        (torch.arange(size, device=flow_b2hw.device) - (size - 1) / 2) / UNIT
        for size in (width, height)
    )
    places = torch.stack([x.expand(height, width), y[:, None].expand(height, width)])
    return places.expand_as(flow_b2hw)
