"""Result of the flow stage: for each pair, flow both ways with its confidence."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

PAIRS_ITEM = "pairs.json"

INT16_MAX = 32767


def pair_item(first: str, second: str) -> str:
    """Item that holds the flow between two key frames."""
    return f"flow/{first}_{second}.npz"


def load_pairs(path: Path) -> list[tuple[str, str]]:
    """Names of the key frames of each pair, first before second in the frames' order."""
    return [(first, second) for first, second in json.loads(path.read_text())]


def load_one_way(
    path: Path, way: Literal["forward", "backward"]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Flow (h, w, 2) and confidence (h, w) of one way of a stored `FlowPair`."""
    flow_hw2, step_px, confidence_hw = load_steps(path, way)
    return flow_hw2 * step_px, confidence_hw * np.float32(1 / 255)


def load_steps(
    path: Path, way: Literal["forward", "backward"]
) -> tuple[NDArray[np.int16], np.float32, NDArray[np.uint8]]:
    """One way of a `FlowPair` as it is stored, for those who need few of its pixels.

    Returns:
        Flow (h, w, 2) in steps, the length of a step in pixels, confidence (h, w) in 1/255.
    """
    with np.load(path) as data:
        step_px = np.float32(data[f"{way}_largest_px"] / INT16_MAX)
        return data[f"{way}_hw2"], step_px, data[f"{way}_confidence_hw"]


@dataclass(frozen=True)
class FlowPair:
    """Optical flow between two key frames at the working resolution.

    The size may be below that of the key frames; flow is in pixels of this size, x then y.
    Confidence lies in 0…1 and is the probability that the flow is right to about a pixel.

    Attributes:
        forward_hw2: first → second, float32.
        backward_hw2: second → first, float32.
        forward_confidence_hw, backward_confidence_hw: float32.
    """

    forward_hw2: NDArray[np.float32]
    backward_hw2: NDArray[np.float32]
    forward_confidence_hw: NDArray[np.float32]
    backward_confidence_hw: NDArray[np.float32]

    def save(self, path: Path) -> None:
        """Write with 16 bits a flow component (scaled to its range) and 8 a confidence."""
        arrays: dict[str, Any] = {}
        for name in ("forward", "backward"):
            flow_hw2 = getattr(self, f"{name}_hw2")
            largest_px = max(float(np.abs(flow_hw2).max()), 1e-6)
            quantized = np.round(flow_hw2 * (INT16_MAX / largest_px))
            arrays[f"{name}_hw2"] = quantized.astype(np.int16)
            arrays[f"{name}_largest_px"] = np.float32(largest_px)
            confidence_hw = getattr(self, f"{name}_confidence_hw")
            arrays[f"{name}_confidence_hw"] = np.round(confidence_hw * 255).astype(np.uint8)
        with path.open("wb") as file:
            np.savez(file, **arrays)

    @classmethod
    def load(cls, path: Path) -> FlowPair:
        """Read what `save` wrote."""
        forward, forward_confidence = load_one_way(path, "forward")
        backward, backward_confidence = load_one_way(path, "backward")
        return cls(forward, backward, forward_confidence, backward_confidence)

    def reversed(self) -> FlowPair:
        """The same pair seen from its second frame."""
        return FlowPair(
            self.backward_hw2,
            self.forward_hw2,
            self.backward_confidence_hw,
            self.forward_confidence_hw,
        )
