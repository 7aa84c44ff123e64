"""The card of mvflow; imports the network only where it is loaded."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from stages.flow.config import FlowConfig
from stages.flow.models.base import FlowModel, ModelCard

if TYPE_CHECKING:
    from stages.flow.models.graph import FlowGraph

MVFLOW_WEIGHTS = Path(__file__).parents[2] / "weights" / "mvflow.pt"


def _load(card: ModelCard, config: FlowConfig) -> FlowModel:
    from stages.flow.models.mvflow.model import MvflowFlow, load_mvflow

    network, calibration = load_mvflow(card.require_weights(config))
    return MvflowFlow(network, calibration, precision=config.used_precision)


def _graph(card: ModelCard, config: FlowConfig) -> FlowGraph:
    from stages.flow.models.mvflow.model import MvflowGraph, load_mvflow

    return MvflowGraph(load_mvflow(card.require_weights(config))[0])


MVFLOW = ModelCard(
    summary="ours: small network that corrects dis, own confidence",
    licence="Apache-2.0",
    load=_load,
    graph=_graph,
    shipped=MVFLOW_WEIGHTS,
    precisions=("fp32", "bf16"),
)
