"""The model zoo: from the name that a configuration holds to a flow model, ours or others'."""

from __future__ import annotations

from collections.abc import Mapping

from mvrecon.engine.plugins import FLOW_MODELS, MEND_IT
from mvrecon.errors import UsageError
from stages.flow.config import FlowConfig, model_names
from stages.flow.models.base import FlowModel, ModelCard
from stages.flow.models.mvflow.card import MVFLOW
from stages.flow.models.raft.card import RAFT


def _load_dis(_: ModelCard, config: FlowConfig) -> FlowModel:
    from stages.flow.models.dis import DisFlow

    return DisFlow(config.dis.preset)


BUILT_IN: Mapping[str, ModelCard] = {
    "dis": ModelCard("dense inverse search (OpenCV), no learning", "Apache-2.0", _load_dis),
    "mvflow": MVFLOW,
    **RAFT,
}


def find_card(name: str) -> ModelCard:
    """The card of a model.

    Raises:
        UsageError: there is none, or the package that offers it cannot be used.
    """
    if name not in model_names():
        raise UsageError(f"no flow model {name!r}", f"Use one of {', '.join(model_names())}")
    card = BUILT_IN[name] if name in BUILT_IN else FLOW_MODELS.load(name)
    if not isinstance(card, ModelCard):
        raise UsageError(
            f"flow model {name} is offered by a package, but is no ModelCard",
            MEND_IT,
        )
    return card


def load_flow_model(config: FlowConfig) -> FlowModel:
    """The model that `config.model` names, followed by refinement if that is asked for.

    Raises:
        UsageError: there is no such model, or its weights are missing or do not fit.
    """
    card = find_card(config.model)
    model = card.load(card, config)
    if config.refine == 0:
        return model
    from stages.flow.models.refine import RefinedFlow

    return RefinedFlow(model, config.refine)
