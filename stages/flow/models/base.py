"""What a flow model is, and what is known of one without loading it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from mvrecon.downloads import RemoteFile, fetched
from mvrecon.errors import UsageError
from mvrecon.learning.precision import UsedPrecision

if TYPE_CHECKING:
    from stages.flow.config import FlowConfig
    from stages.flow.models.graph import FlowGraph


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


@dataclass(frozen=True)
class ModelCard:
    """What is known of a flow model without loading it; an entry of the model zoo.

    Attributes:
        summary: one line for a person.
        licence: of code and weights.
        load: makes the model; it finds its weights by `weights_path` or `require_weights`.
        graph: makes the network as one function of tensors, for its size and for export, with
            random weights where none are there; None for a method without a network.
        shipped: weights that come with the program.
        checkpoint: weights that are fetched when asked for.
        precisions: that `load` heeds in `config.used_precision`.
    """

    summary: str
    licence: str
    load: Callable[[ModelCard, FlowConfig], FlowModel]
    graph: Callable[[ModelCard, FlowConfig], FlowGraph] | None = None
    shipped: Path | None = None
    checkpoint: RemoteFile | None = None
    precisions: tuple[UsedPrecision, ...] = ("fp32",)

    def weights_path(self, config: FlowConfig) -> Path | None:
        """The weights in use: those given, shipped or fetched before; None if there are none."""
        if config.given_weights is not None:
            return config.given_weights
        if self.shipped is not None:
            return self.shipped
        return fetched(self.checkpoint) if self.checkpoint else None

    def require_weights(self, config: FlowConfig) -> Path:
        """The weights in use.

        Raises:
            UsageError: there are none.
        """
        path = self.weights_path(config)
        option = f"--flow.{config.group}.weights"
        if path is None:
            fetch = f"Fetch them: mvrecon models get {config.model}; or give" * bool(
                self.checkpoint
            )
            raise UsageError(
                f"flow model {config.model} has no weights",
                f"{fetch or 'Give'} a checkpoint: {option} FILE",
            )
        if not path.is_file():
            raise UsageError(f"flow weights {path} do not exist", f"Check the path after {option}")
        return path
