"""RAFT as one function of tensors."""

from __future__ import annotations

from torch import Tensor

from stages.flow.models.graph import FlowGraph
from stages.flow.models.raft.network import STRIDE, Raft


class RaftGraph(FlowGraph):
    """RAFT from images in 0…1."""

    input_names = ("first_b3hw", "second_b3hw")
    stride = STRIDE

    def __init__(self, network: Raft, updates: int) -> None:
        super().__init__()
        self.network = network.eval()
        self.updates = updates

    def forward(self, first_b3hw: Tensor, second_b3hw: Tensor) -> Tensor:
        """Flow first → second, (1, 2, h, w), pixels."""
        first, second = (
            self.network.encode(2.0 * image - 1.0) for image in (first_b3hw, second_b3hw)
        )
        flow_b2hw: Tensor = self.network(first, second, self.updates)
        return flow_b2hw
