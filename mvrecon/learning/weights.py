"""Weights as a file: the network's sizes and its state dict, stored with 16 bits."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import nn

from mvrecon.errors import UsageError
from mvrecon.learning.training import save_atomically

N = TypeVar("N", bound=nn.Module)


def load_weights(
    path: Path, build: Callable[[Mapping[str, Any]], N], what: str
) -> tuple[N, Mapping[str, Any]]:
    """A network in 32 bits, ready for use, and what else the file holds.

    Args:
        path: a file that `export_weights` wrote.
        build: the network of the stored sizes.
        what: `mvrecon train` calls it so.

    Raises:
        UsageError: the file is missing or holds something else.
    """
    try:
        stored: Any = torch.load(path, map_location="cpu", weights_only=True)
        network = build(stored["network"])
        network.load_state_dict(stored["weights"])
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError, KeyError, TypeError) as error:
        raise UsageError(
            f"cannot use {path} as weights of {what}",
            f"Give a file that `mvrecon train {what}` wrote, or none for the shipped weights",
        ) from error
    return network.eval(), stored


def export_weights(network: nn.Module, settings: Any, path: Path, **more: Any) -> None:
    """Write what `load_weights` reads, replacing the file in one step.

    Args:
        network: with its weights.
        settings: dataclass of its sizes.
        path: the file; its folder is made.
        more: numbers that belong to the weights.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    weights = {name: value.cpu().half() for name, value in network.state_dict().items()}
    save_atomically({"network": asdict(settings), "weights": weights, **more}, path)
