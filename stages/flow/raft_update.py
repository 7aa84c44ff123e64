"""The recurrent update of RAFT-small: correlation and flow in, a flow step out."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

HIDDEN_CHANNELS = 96
CONTEXT_CHANNELS = 64
MOTION_CHANNELS = 82


class MotionEncoder(nn.Module):
    """Correlation windows and the current flow to motion features."""

    def __init__(self, correlation_channels: int) -> None:
        super().__init__()
        self.convc1 = nn.Conv2d(correlation_channels, 96, 1)
        self.convf1 = nn.Conv2d(2, 64, 7, padding=3)
        self.convf2 = nn.Conv2d(64, 32, 3, padding=1)
        self.conv = nn.Conv2d(96 + 32, MOTION_CHANNELS - 2, 3, padding=1)

    def forward(self, flow_b2hw: Tensor, correlation_bchw: Tensor) -> Tensor:
        """(b, 82, h, w); the flow itself is the last two channels."""
        correlation = self.convc1(correlation_bchw).relu_()
        flow = self.convf2(self.convf1(flow_b2hw).relu_()).relu_()
        motion = self.conv(torch.cat([correlation, flow], dim=1)).relu_()
        return torch.cat([motion, flow_b2hw], dim=1)


class GruContext(NamedTuple):
    """What stays the same in all updates of one image, computed once.

    Attributes:
        gates_bchw, candidate_bchw: the context's share of the convolutions, with the bias.
        gates_weight, candidate_weight: of the hidden state's and the motion's share.
    """

    gates_bchw: Tensor
    candidate_bchw: Tensor
    gates_weight: Tensor
    candidate_weight: Tensor


class ConvGru(nn.Module):
    """Gated recurrent unit with 3×3 convolutions over (hidden, context, motion)."""

    def __init__(self) -> None:
        super().__init__()
        in_channels = HIDDEN_CHANNELS + CONTEXT_CHANNELS + MOTION_CHANNELS
        self.convz = nn.Conv2d(in_channels, HIDDEN_CHANNELS, 3, padding=1)
        self.convr = nn.Conv2d(in_channels, HIDDEN_CHANNELS, 3, padding=1)
        self.convq = nn.Conv2d(in_channels, HIDDEN_CHANNELS, 3, padding=1)

    def prepare(self, context_bchw: Tensor) -> GruContext:
        """Convolve the context once for all updates: a quarter of the unit's work."""
        gates_weight = torch.cat([self.convz.weight, self.convr.weight])
        gates_bias = torch.cat([_bias(self.convz), _bias(self.convr)])
        return GruContext(
            F.conv2d(context_bchw, _context_part(gates_weight), gates_bias, padding=1),
            F.conv2d(context_bchw, _context_part(self.convq.weight), self.convq.bias, padding=1),
            _changing_part(gates_weight),
            _changing_part(self.convq.weight),
        )

    def forward(self, hidden_bchw: Tensor, motion_bchw: Tensor, context: GruContext) -> Tensor:
        """The next hidden state (b, 96, h, w)."""
        state = torch.cat([hidden_bchw, motion_bchw], dim=1)
        gates = F.conv2d(state, context.gates_weight, padding=1).add_(context.gates_bchw)
        update, reset = gates.sigmoid_().chunk(2, dim=1)
        state = torch.cat([reset * hidden_bchw, motion_bchw], dim=1)
        candidate = F.conv2d(state, context.candidate_weight, padding=1)
        candidate = candidate.add_(context.candidate_bchw).tanh_()
        return torch.lerp(hidden_bchw, candidate, update)


class FlowHead(nn.Module):
    """Hidden state to a flow step, in pixels of the 1/8 image."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(HIDDEN_CHANNELS, 128, 3, padding=1)
        self.conv2 = nn.Conv2d(128, 2, 3, padding=1)

    def forward(self, hidden_bchw: Tensor) -> Tensor:
        """(b, 2, h, w)."""
        step_b2hw: Tensor = self.conv2(self.conv1(hidden_bchw).relu_())
        return step_b2hw


class SmallUpdateBlock(nn.Module):
    """Motion encoder, recurrent unit and flow head."""

    def __init__(self, correlation_channels: int) -> None:
        super().__init__()
        self.encoder = MotionEncoder(correlation_channels)
        self.gru = ConvGru()
        self.flow_head = FlowHead()

    def forward(
        self,
        hidden_bchw: Tensor,
        context: GruContext,
        correlation_bchw: Tensor,
        flow_b2hw: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """The next hidden state and the step to add to the flow."""
        motion_bchw = self.encoder(flow_b2hw, correlation_bchw)
        hidden_bchw = self.gru(hidden_bchw, motion_bchw, context)
        return hidden_bchw, self.flow_head(hidden_bchw)


def _bias(convolution: nn.Conv2d) -> Tensor:
    assert convolution.bias is not None
    return convolution.bias


def _context_part(weight: Tensor) -> Tensor:
    return weight[:, HIDDEN_CHANNELS : HIDDEN_CHANNELS + CONTEXT_CHANNELS].contiguous()


def _changing_part(weight: Tensor) -> Tensor:
    hidden, motion = weight[:, :HIDDEN_CHANNELS], weight[:, -MOTION_CHANNELS:]
    return torch.cat([hidden, motion], dim=1)
