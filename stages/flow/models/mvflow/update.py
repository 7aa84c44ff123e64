"""The recurrent update of mvflow, and the way from 1/4 to full size."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mvrecon.learning.precision import full_precision
from stages.flow.models.mvflow.correlation import RADIUS, all_at_once

CUES = 18
# Brings similarities, mostly far below 1, to the size of the other inputs.
CORRELATION_SCALE = 4.0
# Flow may be taken over from neighbours so many pixels of the level away.
REACHES = (1, 4)
OFFERED = 3
CANDIDATES = 9 * len(REACHES) + OFFERED
# Candidate that is the flow itself; an untrained network keeps to it.
OWN = 4
OWN_LOGIT = 5.0
# Cells whose upsampling weights fit a CPU's cache together; on a GPU, half a grid's 65,535.
CELLS_AT_ONCE = 2400
CELLS_AT_ONCE_CUDA = 32768
CHANGES = CANDIDATES + 5


class Update(nn.Module):
    """One recurrent step (ConvGRU, as in RAFT): correlation and cues → state → what to change.

    The changes: logits of the flows that may be taken over, a free shift (2) and its gate,
    how far to follow the local match, and the share of the initial detail.

    Args:
        channels: of the context.
        hidden: of the state.
        levels: how many levels share the step.
    """

    def __init__(self, channels: int, hidden: int, levels: int) -> None:
        super().__init__()
        window = (2 * RADIUS + 1) ** 2
        self.correlation = nn.Conv2d(window, hidden, 1)
        self.motion = nn.Conv2d(hidden + CUES, hidden, 3, padding=1)
        self.gates = nn.Conv2d(2 * hidden + channels, 2 * hidden, 3, padding=1)
        self.candidate = nn.Conv2d(2 * hidden + channels, hidden, 3, padding=1)
        self.head = nn.Conv2d(hidden, hidden, 3, padding=1)
        # Levels differ in how sure a change must be, so each has its own last layer.
        self.changes = nn.ModuleList(nn.Conv2d(hidden, CHANGES, 1) for _ in range(levels))
        for layer in self.changes.parameters():
            nn.init.zeros_(layer)
            if layer.dim() == 1:
                layer.data[OWN] = OWN_LOGIT

    def forward(
        self, level: int, state: Tensor, context: Tensor, correlation: Tensor, cues: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The new state and the changes (b, CHANGES, h, w), at level 0 (finest) or 1."""
        weights = CORRELATION_SCALE * self.correlation.weight
        seen = F.relu(F.conv2d(correlation, weights, self.correlation.bias))
        cues = cues.to(seen.dtype, memory_format=torch.channels_last)
        seen = F.relu(self.motion(torch.cat([seen, cues], 1)))
        gates = self.gates(torch.cat([state, seen, context], 1)).sigmoid_()
        update, reset = gates.chunk(2, 1)
        proposed = self.candidate(torch.cat([reset * state, seen, context], 1)).tanh_()
        state = state + update * (proposed - state)
        return state, self.changes[level](F.relu(self.head(state))).float()


def take_over(flow_b2hw: Tensor, offered: list[Tensor], logits_bkhw: Tensor) -> Tensor:
    """Weighted mean of the flow itself, its neighbours near and farther, and other flows.

    In the manner of PatchMatch's propagation, but soft and learned.

    Args:
        flow_b2hw: current flow.
        offered: OFFERED other flows (b, 2, h, w).
        logits_bkhw: CANDIDATES of them; that of the flow itself is number OWN.
    """
    batch, _, height, width = flow_b2hw.shape
    near = [
        F.unfold(F.pad(flow_b2hw, (reach,) * 4, mode="replicate"), 3, dilation=reach)
        for reach in REACHES
    ]
    flows = [part.view(batch, 2, 9, height, width) for part in near]
    flows += [other[:, :, None] for other in offered]
    weights = logits_bkhw.softmax(1)
    return (torch.cat(flows, 2) * weights[:, None]).sum(2)


class Upsampler(nn.Module):
    """Convex upsampling by 4 (RAFT), the share of the initial detail, and the uncertainty."""

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.trunk = nn.Conv2d(hidden + channels, hidden, 3, padding=1)
        self.mask = nn.Conv2d(hidden, 9 * 16, 1)
        self.detail = nn.Conv2d(hidden, 16, 1)
        self.mixture = nn.Conv2d(hidden, 3, 1)
        for layer in (self.detail, self.mixture):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]

    def forward(
        self, state: Tensor, context: Tensor, coarse_flow: Tensor, start: Tensor, fine_start: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Flow at full size in pixels, and the mixture's parameters."""
        x = F.relu(self.trunk(torch.cat([state, context], 1)))
        both = 4.0 * torch.cat([coarse_flow, start], 1)
        count, _, height, width = both.shape
        logits = self.mask(x).permute(0, 2, 3, 1).reshape(-1, 9, 16)
        near = F.unfold(F.pad(both, (1, 1, 1, 1), mode="replicate"), 3)
        near = near.view(count, 4, 9, -1).permute(0, 3, 1, 2).reshape(-1, 4, 9)
        # Flow in 16 bits would be off by up to 0.2 % of its length.
        with full_precision(near.device):
            # A few cells after another, so that their weights stay in the cache.
            at_once = CELLS_AT_ONCE_CUDA if all_at_once(near) else CELLS_AT_ONCE
            parts = zip(*(torch.split(x, at_once) for x in (near, logits)), strict=True)
            upsampled = torch.cat([torch.bmm(a, b.float().softmax(1)) for a, b in parts])
        upsampled = upsampled.view(count, height, width, 4, 4, 4).permute(0, 3, 1, 4, 2, 5)
        flow, smooth_start = upsampled.reshape(count, 4, 4 * height, 4 * width).chunk(2, 1)
        share = 1.0 + F.pixel_shuffle(self.detail(x).float(), 4)
        mixture = F.interpolate(self.mixture(x).float(), scale_factor=4.0, mode="bilinear")
        fine = torch.addcmul(flow, share, fine_start - smooth_start)
        return fine, mixture.contiguous()
