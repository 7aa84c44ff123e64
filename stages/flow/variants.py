"""Flow models with their options, as benchmarks compare them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from mvrecon.config import Options, build_configs
from mvrecon.engine.hashing import hash_file
from mvrecon.evaluation.bench.flow.measure import Estimate, FlowVariant
from mvrecon.options import assignment
from stages.flow.config import FlowConfig
from stages.flow.models.registry import find_card, load_flow_model
from stages.flow.run import estimate_pair
from stages.flow.stage import STAGE


def flow_variants(
    labels: Sequence[str], weights: Mapping[str, str], given: Options
) -> list[FlowVariant]:
    """The models that labels such as `raft-small:updates=6` name, each once.

    Args:
        labels: model, with options of its own after colons.
        weights: label or model → file of its weights.
        given: options of all of them.

    Raises:
        UsageError: an option or a weight file is wrong.
    """
    return [_variant(label, weights, given) for label in dict.fromkeys(labels)]


def _variant(label: str, weights: Mapping[str, str], given: Options) -> FlowVariant:
    name, *settings = label.split(":")
    own = dict(assignment(setting, f"--model {label}") for setting in settings)
    if file := weights.get(label, weights.get(name)):
        own.setdefault("weights", file)
    own = {FlowConfig.full_name(name, option): value for option, value in own.items()}
    own["model"] = name
    config = build_configs({"flow": FlowConfig}, [given, {"flow": own}])["flow"]
    assert isinstance(config, FlowConfig)
    card = find_card(name)
    if card.shipped or card.checkpoint:
        card.require_weights(config)  # now, rather than after the other models were measured
    files = {**config.content_files(), **STAGE.files(config)}
    key = {
        "stage": STAGE.version,
        "config": config.key_options(),
        "files": {file: hash_file(path) for file, path in files.items()},
    }
    return FlowVariant(label, load_estimate, config, key)


def load_estimate(config: FlowConfig) -> Estimate:
    """Flow both ways with confidence, as the flow stage makes it."""
    return partial(estimate_pair, load_flow_model(config))
