"""mvflow as one function of tensors."""

from __future__ import annotations

from torch import Tensor

from stages.flow.models.graph import FlowGraph
from stages.flow.models.mvflow.network import STRIDE, Mvflow


class MvflowGraph(FlowGraph):
    """mvflow from images in 0…1 and the flow to start from (of dis) in pixels."""

    input_names = ("first_b3hw", "second_b3hw", "start_b2hw")
    stride = STRIDE

    def __init__(self, network: Mvflow) -> None:
        super().__init__()
        self.network = network.eval()

    def forward(self, first_b3hw: Tensor, second_b3hw: Tensor, start_b2hw: Tensor) -> Tensor:
        """Flow first → second, (1, 2, h, w), pixels."""
        flow_b2hw: Tensor = self.network(first_b3hw, second_b3hw, start_b2hw).flow_b2hw
        return flow_b2hw
