"""A model's network as one function of tensors: to count its cost and to export it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn


class FlowGraph(nn.Module):
    """Images to flow, of one pair, one way.

    Attributes:
        input_names: of `forward`'s arguments.
        stride: image sides must be multiples of it.
    """

    input_names: tuple[str, ...]
    stride: int

    def example_inputs(self, height: int, width: int) -> tuple[Tensor, ...]:
        """Inputs of the right shapes; random images."""
        channels = {"start_b2hw": 2}
        return tuple(
            torch.rand(1, channels.get(name, 3), height, width) for name in self.input_names
        )


@dataclass(frozen=True)
class NetworkCost:
    """Size and work of a network.

    Attributes:
        parameters: that are trained.
        flop: floating-point operations of one pair, one way: two for each multiplication and
            addition of convolutions and matrix products; the rest is not counted.
    """

    parameters: int
    flop: int


def network_cost(graph: FlowGraph, height: int, width: int) -> NetworkCost:
    """Count without computing: no tensor has content."""
    from torch.utils.flop_counter import FlopCounterMode

    parameters = sum(parameter.numel() for parameter in graph.parameters())
    with torch.device("meta"), torch.inference_mode():
        empty = graph.to("meta")
        with FlopCounterMode(display=False) as counter:
            empty(*empty.example_inputs(height, width))
    return NetworkCost(parameters, counter.get_total_flops())
