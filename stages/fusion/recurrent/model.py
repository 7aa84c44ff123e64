"""The learned fusion's weights, and its passes over views."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import torch

from mvrecon.artifacts.depth import DepthMap, inverted
from mvrecon.learning.precision import UsedPrecision, autocast
from mvrecon.learning.weights import load_weights
from stages.fusion.config import RECURRENT_WEIGHTS
from stages.fusion.recurrent.network import FusionNetwork, FusionNetworkSettings
from stages.fusion.recurrent.step import FusionView, Memory, results, run_network

# Relative difference up to which the results of two passes are averaged.
AGREEING = 0.05


def load_network(path: Path = RECURRENT_WEIGHTS) -> FusionNetwork:
    """The network with the weights of an exported file, by default the shipped ones.

    Raises:
        UsageError: the file is missing or holds something else.
    """
    return load_weights(
        path, lambda sizes: FusionNetwork(FusionNetworkSettings(**sizes)), "fusion"
    )[0]


def fuse_view(
    network: FusionNetwork,
    view: FusionView,
    memory: Memory | None,
    precision: UsedPrecision = "fp32",
) -> Memory:
    """One step, without gradients."""
    with torch.inference_mode(), autocast(precision):
        output = run_network(network, [view], [memory])
        return Memory(results([view], output)[0], output.state_bchw[0].contiguous())


def fuse_in_turn(
    network: FusionNetwork, views: Iterable[FusionView], precision: UsedPrecision = "fp32"
) -> Iterator[DepthMap]:
    """A pass over views in the order given, each remembering the one before."""
    memory: Memory | None = None
    for view in views:
        memory = fuse_view(network, view, memory, precision)
        yield memory.result


def merge(first: DepthMap, second: DepthMap) -> DepthMap:
    """One map of two of the same view.

    Where they agree, their average weighted by confidence, in inverse depth; elsewhere the
    surer one, trusted less for the contradiction.
    """
    weights = [np.maximum(part.confidence_hw, np.float32(1e-3)) for part in (first, second)]
    inverses = [inverted(part.depth_hw) for part in (first, second)]
    known_hw = (inverses[0] > 0) & (inverses[1] > 0)
    larger_hw = np.maximum(*inverses)
    agree_hw = known_hw & (np.abs(inverses[0] - inverses[1]) <= np.float32(AGREEING) * larger_hw)
    mean_hw = sum(w * i for w, i in zip(weights, inverses, strict=True)) / sum(weights)
    surer_hw = np.where((weights[0] >= weights[1]) & (inverses[0] > 0), *inverses)
    inverse_hw = np.where(agree_hw, mean_hw, surer_hw)
    surest_hw, other_hw = np.maximum(*weights), np.minimum(*weights)
    confidence_hw = np.where(agree_hw, surest_hw, surest_hw * (1 - 0.5 * other_hw))
    has_hw = inverse_hw > 0
    return DepthMap(
        inverted(inverse_hw),
        np.where(has_hw, confidence_hw, 0.0).astype(np.float32),
        first.k_33,
        first.world_from_cam,
    )
