"""The model zoo: the flow models that a configuration may name, ours and others'."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Literal

from mvrecon.downloads import RemoteFile
from mvrecon.errors import UsageError
from stages.flow.config import MVFLOW_WEIGHTS, FlowConfig
from stages.flow.models.base import FlowModel, ModelCard

if TYPE_CHECKING:
    from stages.flow.models.graph import FlowGraph
    from stages.flow.models.raft.network import RaftSettings

RaftVariant = Literal["small", "large"]

# A package offers its model under this name: `NAME = "package.module:CARD"`, a ModelCard.
ENTRY_POINT_GROUP = "mvrecon.flow_models"

_TORCHVISION = "https://download.pytorch.org/models"
_RAFT_LICENCE = "BSD-3-Clause; the training sets have terms of their own"


def _load_dis(_: ModelCard, config: FlowConfig) -> FlowModel:
    from stages.flow.models.dis import DisFlow

    return DisFlow(config.dis_preset)


def _load_mvflow(card: ModelCard, config: FlowConfig) -> FlowModel:
    from stages.flow.models.mvflow.model import MvflowFlow, load_mvflow

    network, calibration = load_mvflow(card.require_weights(config))
    return MvflowFlow(network, calibration, precision=config.used_precision)


def _mvflow_graph(card: ModelCard, config: FlowConfig) -> FlowGraph:
    from stages.flow.models.graph import MvflowGraph
    from stages.flow.models.mvflow.model import load_mvflow

    return MvflowGraph(load_mvflow(card.require_weights(config))[0])


def _raft_settings(variant: RaftVariant) -> RaftSettings:
    from stages.flow.models.raft.network import RAFT_LARGE, RAFT_SMALL

    return RAFT_LARGE if variant == "large" else RAFT_SMALL


def _load_raft(variant: RaftVariant, card: ModelCard, config: FlowConfig) -> FlowModel:
    from stages.flow.models.raft.model import RaftFlow
    from stages.flow.models.raft.weights import load_raft

    network = load_raft(card.require_weights(config), _raft_settings(variant))
    return RaftFlow(network, config.updates, config.used_precision)


def _raft_graph(variant: RaftVariant, card: ModelCard, config: FlowConfig) -> FlowGraph:
    from stages.flow.models.graph import RaftGraph
    from stages.flow.models.raft.network import Raft
    from stages.flow.models.raft.weights import load_raft

    settings, weights = _raft_settings(variant), card.weights_path(config)
    return RaftGraph(load_raft(weights, settings) if weights else Raft(settings), config.updates)


def _raft_card(variant: RaftVariant, summary: str, file: str) -> ModelCard:
    """A public checkpoint; torchvision publishes the first digits of its hash in its name."""
    published = file.rpartition("-")[2].removesuffix(".pth")
    return ModelCard(
        summary=summary,
        licence=_RAFT_LICENCE,
        load=partial(_load_raft, variant),
        graph=partial(_raft_graph, variant),
        checkpoint=RemoteFile(f"{_TORCHVISION}/{file}", published),
        precisions=("fp32", "bf16"),
    )


BUILT_IN: Mapping[str, ModelCard] = {
    "dis": ModelCard(
        summary="dense inverse search (OpenCV), no learning",
        licence="Apache-2.0",
        load=_load_dis,
    ),
    "mvflow": ModelCard(
        summary="ours: small network that corrects dis, own confidence",
        licence="Apache-2.0",
        load=_load_mvflow,
        graph=_mvflow_graph,
        shipped=MVFLOW_WEIGHTS,
        precisions=("fp32", "bf16"),
    ),
    "raft-small": _raft_card(
        "small",
        "RAFT-small, the authors' weights (Chairs, Things)",
        "raft_small_C_T_V1-ad48884c.pth",
    ),
    "raft-small-v2": _raft_card(
        "small",
        "RAFT-small, torchvision's training (Chairs, Things)",
        "raft_small_C_T_V2-01064c6d.pth",
    ),
    "raft-large": _raft_card(
        "large", "RAFT, the authors' weights (Chairs, Things)", "raft_large_C_T_V1-22a6c225.pth"
    ),
    "raft-large-v2": _raft_card(
        "large", "RAFT, torchvision's training (Chairs, Things)", "raft_large_C_T_V2-1bb1363a.pth"
    ),
    "raft-large-mixed": _raft_card(
        "large",
        "RAFT, torchvision's training (and Sintel, KITTI, HD1K)",
        "raft_large_C_T_SKHT_V2-ff5fadd5.pth",
    ),
}


def model_names() -> list[str]:
    """Every name that `--flow.model` takes; imports no model."""
    return [*BUILT_IN, *(name for name in sorted(_entry_points()) if name not in BUILT_IN)]


def find_card(name: str) -> ModelCard:
    """The card of a model.

    Raises:
        UsageError: there is none, or the package that offers it cannot be used.
    """
    if name in BUILT_IN:
        return BUILT_IN[name]
    point = _entry_points().get(name)
    if point is None:
        raise UsageError(f"no flow model {name!r}", f"Use one of {', '.join(model_names())}")
    try:
        card = point.load()
    except Exception as error:  # whatever another's package raises
        raise UsageError(
            f"flow model {name} ({point.value}) cannot be imported: {error!r}",
            "Mend or uninstall the package that offers it",
        ) from error
    if not isinstance(card, ModelCard):
        raise UsageError(
            f"flow model {name} ({point.value}) is no ModelCard",
            "Mend or uninstall the package that offers it",
        )
    return card


def provider(name: str) -> str:
    """Package and version that a model comes from; empty for ours."""
    point = None if name in BUILT_IN else _entry_points().get(name)
    return f"{point.dist.name} {point.dist.version}" if point and point.dist else ""


def _entry_points() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=ENTRY_POINT_GROUP)}
