"""Peak memory of large pairs, measured in a process of its own."""

from __future__ import annotations

import subprocess
import sys

import pytest

BUDGET_MB = 1500
MEASURE = """
import resource, sys
import cv2, numpy as np
from stages.flow.mvflow import MvflowFlow, load_mvflow
height, width = int(sys.argv[1]), int(sys.argv[2])
coarse = np.random.default_rng(0).integers(0, 255, (height // 40, width // 40, 3), np.uint8)
first = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
second = np.roll(first, 12, axis=1)
model = MvflowFlow(*load_mvflow())
before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
estimate = model.estimate(first, second)
assert estimate.forward_hw2.shape == (height, width, 2)
assert abs(np.median(estimate.forward_hw2[..., 0]) - 12) < 1
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb) // 1024)
"""


@pytest.mark.parametrize("size", [(1080, 1920), (2160, 3840)])
def test_a_large_pair_stays_within_the_budget(size: tuple[int, int]):
    command = [sys.executable, "-c", MEASURE, *map(str, size)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert int(result.stdout) < BUDGET_MB
