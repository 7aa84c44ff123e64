"""RAFT's recurrent update: correlation and flow in, a flow step out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn


@dataclass(frozen=True)
class UpdateSizes:
    """Channels of the update.

    Attributes:
        hidden, context: of the recurrent state and of the context.
        correlation: after each convolution of the correlation windows, 1×1 and then 3×3.
        flow: after each of the two convolutions of the flow.
        motion: of the motion features, the flow's two included.
        head: between the two convolutions of the flow head.
        gru_kernels: name suffix → (height, width) of the recurrent unit's convolutions.
    """

    hidden: int
    context: int
    correlation: tuple[int, ...]
    flow: tuple[int, int]
    motion: int
    head: int
    gru_kernels: Mapping[str, tuple[int, int]]


class MotionEncoder(nn.Module):
    """Correlation windows and the current flow to motion features."""

    def __init__(self, window_channels: int, sizes: UpdateSizes) -> None:
        super().__init__()
        first_flow, second_flow = sizes.flow
        self.convc1 = nn.Conv2d(window_channels, sizes.correlation[0], 1)
        if len(sizes.correlation) > 1:
            self.convc2 = nn.Conv2d(sizes.correlation[0], sizes.correlation[1], 3, padding=1)
        self.convf1 = nn.Conv2d(2, first_flow, 7, padding=3)
        self.convf2 = nn.Conv2d(first_flow, second_flow, 3, padding=1)
        self.conv = nn.Conv2d(sizes.correlation[-1] + second_flow, sizes.motion - 2, 3, padding=1)
        self.deep = len(sizes.correlation) > 1

    def forward(self, flow_b2hw: Tensor, windows_bchw: Tensor) -> Tensor:
        """(b, motion, h, w); the flow itself is the last two channels."""
        correlation = self.convc1(windows_bchw).relu_()
        if self.deep:
            correlation = self.convc2(correlation).relu_()
        flow = self.convf2(self.convf1(flow_b2hw).relu_()).relu_()
        motion = self.conv(torch.cat([correlation, flow], dim=1)).relu_()
        return torch.cat([motion, flow_b2hw.to(motion.dtype)], dim=1)


class GruPass(NamedTuple):
    """What stays the same in all updates of one image, computed once.

    Attributes:
        gates_bchw, candidate_bchw: the context's share of the convolutions, with the bias.
        gates_weight, candidate_weight: of the hidden state's and the motion's share.
        padding: of the convolutions, (height, width).
    """

    gates_bchw: Tensor
    candidate_bchw: Tensor
    gates_weight: Tensor
    candidate_weight: Tensor
    padding: tuple[int, int]

    def step(self, hidden_bchw: Tensor, motion_bchw: Tensor) -> Tensor:
        """The next hidden state."""
        state = torch.cat([hidden_bchw, motion_bchw], dim=1)
        gates = F.conv2d(state, self.gates_weight, padding=self.padding).add_(self.gates_bchw)
        update, reset = gates.sigmoid_().chunk(2, dim=1)
        state = torch.cat([reset * hidden_bchw, motion_bchw], dim=1)
        candidate = F.conv2d(state, self.candidate_weight, padding=self.padding)
        candidate = candidate.add_(self.candidate_bchw).tanh_()
        return torch.lerp(hidden_bchw, candidate, update)


class ConvGru(nn.Module):
    """Gated recurrent unit over (hidden, context, motion): one pass for each kernel."""

    def __init__(self, sizes: UpdateSizes) -> None:
        super().__init__()
        self.sizes = sizes
        channels = sizes.hidden + sizes.context + sizes.motion
        for suffix, (height, width) in sizes.gru_kernels.items():
            for gate in "zrq":
                convolution = nn.Conv2d(
                    channels, sizes.hidden, (height, width), padding=(height // 2, width // 2)
                )
                self.add_module(f"conv{gate}{suffix}", convolution)

    def prepare(self, context_bchw: Tensor) -> list[GruPass]:
        """Convolve the context once for all updates: it is a good share of the unit's work."""
        return [self._prepare_pass(suffix, context_bchw) for suffix in self.sizes.gru_kernels]

    def _prepare_pass(self, suffix: str, context_bchw: Tensor) -> GruPass:
        z, r, q = (self._convolution(gate + suffix) for gate in "zrq")
        height, width = q.kernel_size
        padding = height // 2, width // 2
        gates_weight, gates_bias = torch.cat([z.weight, r.weight]), torch.cat([_bias(z), _bias(r)])
        return GruPass(
            F.conv2d(context_bchw, self._context_part(gates_weight), gates_bias, padding=padding),
            F.conv2d(context_bchw, self._context_part(q.weight), q.bias, padding=padding),
            self._changing_part(gates_weight),
            self._changing_part(q.weight),
            padding,
        )

    def _convolution(self, name: str) -> nn.Conv2d:
        convolution = self.get_submodule(f"conv{name}")
        assert isinstance(convolution, nn.Conv2d)
        return convolution

    def _context_part(self, weight: Tensor) -> Tensor:
        hidden = self.sizes.hidden
        return weight[:, hidden : hidden + self.sizes.context].contiguous()

    def _changing_part(self, weight: Tensor) -> Tensor:
        hidden, motion = weight[:, : self.sizes.hidden], weight[:, -self.sizes.motion :]
        return torch.cat([hidden, motion], dim=1)


class FlowHead(nn.Module):
    """Hidden state to a flow step, in pixels of the 1/8 image."""

    def __init__(self, sizes: UpdateSizes) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(sizes.hidden, sizes.head, 3, padding=1)
        self.conv2 = nn.Conv2d(sizes.head, 2, 3, padding=1)

    def forward(self, hidden_bchw: Tensor) -> Tensor:
        """(b, 2, h, w)."""
        step_b2hw: Tensor = self.conv2(self.conv1(hidden_bchw).relu_())
        return step_b2hw


class UpdateBlock(nn.Module):
    """Motion encoder, recurrent unit, flow head, and the weights of convex upsampling.

    Args:
        window_channels: of the correlation windows.
        sizes: of the layers.
        mask_channels: of the upsampling weights; none are made if 0.
    """

    def __init__(self, window_channels: int, sizes: UpdateSizes, mask_channels: int) -> None:
        super().__init__()
        self.encoder = MotionEncoder(window_channels, sizes)
        self.gru = ConvGru(sizes)
        self.flow_head = FlowHead(sizes)
        if mask_channels:
            self.mask = nn.Sequential(
                nn.Conv2d(sizes.hidden, sizes.head, 3, padding=1),
                nn.ReLU(inplace=True),
                nn.Conv2d(sizes.head, mask_channels, 1),
            )

    def forward(
        self,
        hidden_bchw: Tensor,
        passes: Sequence[GruPass],
        windows_bchw: Tensor,
        flow_b2hw: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """The next hidden state and the step to add to the flow."""
        motion_bchw = self.encoder(flow_b2hw, windows_bchw)
        for gru_pass in passes:
            hidden_bchw = gru_pass.step(hidden_bchw, motion_bchw)
        return hidden_bchw, self.flow_head(hidden_bchw)


def _bias(convolution: nn.Conv2d) -> Tensor:
    assert convolution.bias is not None
    return convolution.bias
