"""Peak memory of large pairs, measured in a process of its own."""

from __future__ import annotations

import subprocess
import sys

import pytest

BUDGET_MB = 1500
SIZES = (1080, 1920), (2160, 3840)
MEASURE = """
import resource, sys
import cv2, numpy as np
from stages.flow.models.mvflow.card import MVFLOW_WEIGHTS
from stages.flow.models.mvflow.model import MvflowFlow, load_mvflow
model = MvflowFlow(*load_mvflow(MVFLOW_WEIGHTS))
before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for size in sys.argv[1:]:
    height, width = map(int, size.split("x"))
    coarse = np.random.default_rng(0).integers(0, 255, (height // 40, width // 40, 3), np.uint8)
    first = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    second = np.roll(first, 12, axis=1)
    estimate = model.estimate(first, second)
    assert estimate.forward_hw2.shape == (height, width, 2)
    assert abs(np.median(estimate.forward_hw2[..., 0]) - 12) < 1
    print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb) // 1024)
"""


@pytest.mark.slow
def test_large_pairs_stay_within_the_budget():
    command = [sys.executable, "-c", MEASURE, *(f"{height}x{width}" for height, width in SIZES)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    peaks_mb = [int(line) for line in result.stdout.split()]
    assert len(peaks_mb) == len(SIZES)
    assert max(peaks_mb) < BUDGET_MB
