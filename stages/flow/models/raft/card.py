"""The cards of RAFT's public checkpoints; imports the network only where one is loaded."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Literal

from mvrecon.downloads import RemoteFile
from stages.flow.config import FlowConfig
from stages.flow.models.base import FlowModel, ModelCard

if TYPE_CHECKING:
    from stages.flow.models.graph import FlowGraph
    from stages.flow.models.raft.network import RaftSettings

RaftVariant = Literal["small", "large"]

_TORCHVISION = "https://download.pytorch.org/models"
_LICENCE = "BSD-3-Clause; the training sets have terms of their own"


def _settings(variant: RaftVariant) -> RaftSettings:
    from stages.flow.models.raft.network import RAFT_LARGE, RAFT_SMALL

    return RAFT_LARGE if variant == "large" else RAFT_SMALL


def _load(variant: RaftVariant, card: ModelCard, config: FlowConfig) -> FlowModel:
    from stages.flow.models.raft.model import RaftFlow, load_raft

    network = load_raft(card.require_weights(config), _settings(variant))
    return RaftFlow(network, config.raft.updates, config.used_precision)


def _graph(variant: RaftVariant, card: ModelCard, config: FlowConfig) -> FlowGraph:
    from stages.flow.models.raft.model import RaftGraph, load_raft
    from stages.flow.models.raft.network import Raft

    settings, weights = _settings(variant), card.weights_path(config)
    network = load_raft(weights, settings) if weights else Raft(settings)
    return RaftGraph(network, config.raft.updates)


def _card(variant: RaftVariant, summary: str, file: str) -> ModelCard:
    """A public checkpoint; torchvision publishes the first digits of its hash in its name."""
    published = file.rpartition("-")[2].removesuffix(".pth")
    return ModelCard(
        summary=summary,
        licence=_LICENCE,
        load=partial(_load, variant),
        graph=partial(_graph, variant),
        checkpoint=RemoteFile(f"{_TORCHVISION}/{file}", published),
        precisions=("fp32", "bf16"),
    )


RAFT: Mapping[str, ModelCard] = {
    "raft-small": _card(
        "small",
        "RAFT-small, the authors' weights (Chairs, Things)",
        "raft_small_C_T_V1-ad48884c.pth",
    ),
    "raft-small-v2": _card(
        "small",
        "RAFT-small, torchvision's training (Chairs, Things)",
        "raft_small_C_T_V2-01064c6d.pth",
    ),
    "raft-large": _card(
        "large", "RAFT, the authors' weights (Chairs, Things)", "raft_large_C_T_V1-22a6c225.pth"
    ),
    "raft-large-v2": _card(
        "large", "RAFT, torchvision's training (Chairs, Things)", "raft_large_C_T_V2-1bb1363a.pth"
    ),
    "raft-large-mixed": _card(
        "large",
        "RAFT, torchvision's training (and Sintel, KITTI, HD1K)",
        "raft_large_C_T_SKHT_V2-ff5fadd5.pth",
    ),
}
