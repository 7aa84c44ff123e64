"""Flow estimators that are wrong by a known amount, note each call, and may die."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from mvrecon.artifacts.flow import FlowPair
from mvrecon.evaluation.bench.flow.measure import WARM_UP_SIZE, FlowVariant
from tests.datasets.flow_trees import FLOW


@dataclass(frozen=True)
class ToyConfig:
    log: Path
    error_px: float
    die_at: int


def load_toy(config: ToyConfig):
    return partial(_estimate, config)


def _estimate(config: ToyConfig, first_hw3, second_hw3) -> FlowPair:
    height, width = first_hw3.shape[:2]
    flow = np.zeros((height, width, 2), np.float32)
    if (width, height) != WARM_UP_SIZE:
        with config.log.open("a") as log:
            log.write("pair\n")
        if len(config.log.read_text().splitlines()) == config.die_at:
            os.kill(os.getpid(), signal.SIGKILL)
        if flow.shape == FLOW.shape:
            flow[:] = FLOW
    flow[:, : width // 2, 1] += np.float32(config.error_px)
    confidence = np.ones((height, width), np.float32)
    confidence[:, : width // 2] = 0.5
    return FlowPair(flow, -flow, confidence, confidence)


def toy(folder: Path, error_px: float = 2.0, die_at: int = 0, label: str = "toy") -> FlowVariant:
    """Half of the pixels, those that it is less sure of, are wrong by `error_px`."""
    config = ToyConfig(folder / f"{label}.log", error_px, die_at)
    return FlowVariant(label, load_toy, config, {"toy": label, "error_px": error_px})


def calls(variant: FlowVariant) -> int:
    log: Path = variant.config.log
    return len(log.read_text().splitlines()) if log.is_file() else 0
