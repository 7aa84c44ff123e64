"""What a unit of work costs: measured constants, and the speed of this machine."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np

FILE = Path(__file__).with_name("costs.json")
# The usual one of several rounds: what else the machine does slows a run as well.
ROUNDS = 9
SIDE_PX = 384
REMAPS = 8

Coefficients = Mapping[str, Mapping[str, float]]
"""Stage → what its cost grows with (see `work_of`) → cost of a unit."""


@dataclass(frozen=True)
class Costs:
    """Constants of a machine.

    Attributes:
        round_s: processor time of `measure_round` there.
        cpu_s: processor seconds.
        disk_bytes: that a stage's results take.
        peak_bytes: largest memory of a stage with two threads.
        thread_bytes: more memory for each further thread, by what it grows with per image.
        variants: option (`depth.model=learned`) → its stage's time relative to the default's.
    """

    round_s: float
    cpu_s: Coefficients
    disk_bytes: Coefficients
    peak_bytes: Coefficients
    thread_bytes: Coefficients
    variants: Mapping[str, float]

    @classmethod
    def load(cls) -> Costs:
        """The shipped ones, which `benchmarks/plan.py` measures."""
        return cls(**json.loads(FILE.read_text()))

    def save(self) -> None:
        """Write them for `load`."""
        FILE.write_text(json.dumps(asdict(self), indent=1) + "\n")


def measure_round() -> float:
    """Processor seconds of a fixed piece of work of the kinds that a run does."""
    rng = np.random.default_rng(0)
    first_hw = cv2.GaussianBlur(
        rng.integers(0, 255, (SIDE_PX, SIDE_PX)).astype(np.uint8), (0, 0), 3
    )
    second_hw = np.roll(first_hw, 5, axis=1)
    x_hw, y_hw = np.meshgrid(*2 * [np.arange(SIDE_PX, dtype=np.float32)])
    search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    times_s = []
    for _ in range(ROUNDS):
        started_s = time.process_time()
        search.calc(first_hw, second_hw, np.empty(0))
        for shift_px in range(REMAPS):
            moved_hw = cv2.remap(first_hw, x_hw + shift_px, y_hw + 0.5, cv2.INTER_LINEAR)
            cv2.matchTemplate(moved_hw, second_hw[:8, :8], cv2.TM_CCOEFF_NORMED)
        times_s.append(time.process_time() - started_s)
    cv2.setNumThreads(threads)
    return float(np.median(times_s))
