"""Where flow leads, in torch: what the other image shows there, and whether it is in it at all."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def warp(image_bchw: Tensor, flow_b2hw: Tensor) -> Tensor:
    """The image looked up at x + flow(x), bilinearly; zero outside."""
    height, width = flow_b2hw.shape[-2:]
    x = torch.arange(width, device=flow_b2hw.device, dtype=torch.float32)
    y = torch.arange(height, device=flow_b2hw.device, dtype=torch.float32)
    u = (flow_b2hw[:, 0].float() + x) * (2.0 / max(width - 1, 1)) - 1.0
    v = (flow_b2hw[:, 1].float() + y[:, None]) * (2.0 / max(height - 1, 1)) - 1.0
    warped = F.grid_sample(image_bchw.float(), torch.stack([u, v], -1), align_corners=True)
    return warped.to(image_bchw.dtype)


def stays_inside(flow_b2hw: Tensor) -> Tensor:
    """Whether the flow's target (b, h, w) lies in the image."""
    height, width = flow_b2hw.shape[-2:]
    x = flow_b2hw[:, 0] + torch.arange(width, device=flow_b2hw.device)
    y = flow_b2hw[:, 1] + torch.arange(height, device=flow_b2hw.device)[:, None]
    return (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)
