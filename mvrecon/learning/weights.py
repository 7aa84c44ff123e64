"""Weights as a file: the network's sizes and its state dict, stored with 16 bits."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import nn

from mvrecon.errors import UsageError
from mvrecon.learning.training import save_atomically

N = TypeVar("N", bound=nn.Module)

# Of channels, levels and the like: more is no network that anybody trained.
MAX_SIZE = 4096


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
        stored = load_tensors(path)
        network = _build(build, stored["network"], stored["weights"])
    except Exception as error:  # whatever a file of another kind makes of it
        raise UsageError(
            f"cannot use {path} as weights of {what}",
            f"Give a file that `mvrecon train {what}` wrote, or none for the shipped weights",
        ) from error
    return network.eval(), stored


def load_tensors(path: Path) -> Any:
    """What `torch.save` wrote, if it is tensors and plain values only: no code of a file runs.

    Raises:
        Exception: of many kinds, if it is something else, or claims to be larger than it is.
    """
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            claimed = sum(entry.file_size for entry in archive.infolist())
        # torch.save does not compress: only a bomb unfolds.
        if claimed > path.stat().st_size:
            raise ValueError(f"{path} unfolds to {claimed} bytes")
    return torch.load(path, map_location="cpu", weights_only=True)


def _build(
    build: Callable[[Mapping[str, Any]], N], sizes: Mapping[str, Any], weights: Mapping[str, Any]
) -> N:
    """The network with its weights; no memory is taken for sizes that the weights do not have."""
    if any(number > MAX_SIZE for number in _numbers(sizes)):
        raise ValueError("a network of absurd size")
    with torch.device("meta"):
        wanted = build(sizes).state_dict()
    if {name: value.shape for name, value in wanted.items()} != {
        name: value.shape for name, value in weights.items()
    }:
        raise ValueError("the weights are not those of a network of these sizes")
    network = build(sizes)
    network.load_state_dict(weights)
    return network


def _numbers(value: Any) -> Iterator[float]:
    """All numbers in nested plain values."""
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list | tuple):
        for part in value:
            yield from _numbers(part)
    elif isinstance(value, int | float):
        yield value


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
