"""What a flow model is, and how the configuration names one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from mvrecon.errors import UsageError

if TYPE_CHECKING:
    from stages.flow.config import FlowConfig


class FlowEstimate(NamedTuple):
    """What a model says of two images of equal size.

    Attributes:
        forward_hw2, backward_hw2: float32, first → second and second → first, x then y, pixels.
        forward_confidence_hw, backward_confidence_hw: the model's own confidence in 0…1,
            or None if it has none.
    """

    forward_hw2: NDArray[np.float32]
    backward_hw2: NDArray[np.float32]
    forward_confidence_hw: NDArray[np.float32] | None = None
    backward_confidence_hw: NDArray[np.float32] | None = None


class FlowModel(Protocol):
    """A flow method; `estimate` may be called from several threads at once."""

    def estimate(
        self, first_rgb_hw3: NDArray[np.uint8], second_rgb_hw3: NDArray[np.uint8]
    ) -> FlowEstimate:
        """Flow between two images of equal size, both ways."""
        ...


def _dis(config: FlowConfig) -> FlowModel:
    from stages.flow.dis import DisFlow

    return DisFlow(config.dis_preset)


def _raft_small(config: FlowConfig) -> FlowModel:
    from stages.flow.raft import RaftFlow, load_raft_small

    return RaftFlow(load_raft_small(_weights(config)), config.updates)


def _mvflow(config: FlowConfig) -> FlowModel:
    from stages.flow.mvflow import MvflowFlow, load_mvflow

    return MvflowFlow(*load_mvflow(config.weights))


MODELS: Mapping[str, Callable[[FlowConfig], FlowModel]] = {
    "dis": _dis,
    "raft-small": _raft_small,
    "mvflow": _mvflow,
}


def load_flow_model(config: FlowConfig) -> FlowModel:
    """The model that `config.model` names.

    Raises:
        UsageError: its weights are missing or do not fit.
    """
    model = MODELS[config.model](config)
    if config.refine == 0:
        return model
    from stages.flow.refine import RefinedFlow

    return RefinedFlow(model, config.refine)


def _weights(config: FlowConfig) -> Path:
    if config.weights is None:
        raise UsageError(
            f"flow model {config.model} has no weights", "Give its checkpoint: --flow.weights FILE"
        )
    if not config.weights.is_file():
        raise UsageError(
            f"flow weights {config.weights} do not exist", "Check the path after --flow.weights"
        )
    return config.weights
