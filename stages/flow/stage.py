"""The flow stage: optical flow both ways, with confidence, for chosen pairs of key frames."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from mvrecon.engine.stage import Stage, StageContext, Summary
from stages.flow.config import FlowConfig


def run(context: StageContext[FlowConfig]) -> Summary:
    """Make `pairs.json` and a flow item for each pair."""
    from stages.flow.run import estimate_pairs

    return estimate_pairs(context)


def weight_files(config: FlowConfig) -> Mapping[str, Path]:
    """The weights in use, shipped or fetched: another content makes another key."""
    from stages.flow.models.registry import find_card

    path = find_card(config.model).weights_path(config)
    return {} if config.given_weights is not None or path is None else {config.model: path}


def check(config: FlowConfig) -> None:
    """Raise if the chosen model lacks its weights, or those given are not its own."""
    from stages.flow.models.registry import find_card

    card = find_card(config.model)
    if config.given_weights is not None:
        card.load(card, config)
    elif card.shipped is not None or card.checkpoint is not None:
        card.require_weights(config)


STAGE = Stage(
    name="flow",
    version=4,
    config=FlowConfig,
    needs=("frames",),
    run=run,
    shares_items=True,
    files=weight_files,
    check=check,
)
