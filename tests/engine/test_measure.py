"""The seconds and bytes that every figure of the project rests on, against known work."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from mvrecon.engine.measure import Usage, versions, wait_for
from mvrecon.engine.processes.isolate import run_isolated
from mvrecon.errors import StageCrashError
from tests.engine.workload import (
    burn,
    burn_in_thread,
    burn_with_child,
    freed_before_and_inside,
    nested_usages,
    peak_bytes,
    touch,
)

MIB = 1 << 20
# What starting a child costs its parent, and what a child uses after its last look at the clock.
SLACK_S = 0.06
SLACK_BYTES = 16 * MIB


def isolated(tmp_path: Path, function: Callable[..., Any], *arguments: object) -> Any:
    return run_isolated(function, arguments, tmp_path / "log", "toy")


def test_threads_count_together() -> None:
    with Usage() as usage, ThreadPoolExecutor(3) as pool:
        list(pool.map(burn_in_thread, [0.1] * 3))
    assert usage.cpu_s == pytest.approx(0.3, abs=SLACK_S)


def test_sleep_takes_time_and_no_processor() -> None:
    with Usage() as usage:
        time.sleep(0.1)
    assert 0.1 <= usage.wall_s < 10.0
    assert usage.cpu_s < 0.02


def test_a_child_counts_with_all_its_seconds(tmp_path: Path) -> None:
    with Usage() as usage:
        used_s = isolated(tmp_path, burn, 0.3)
    assert used_s >= 0.3
    assert usage.cpu_s == pytest.approx(used_s, abs=SLACK_S)


def test_a_child_of_a_child_counts(tmp_path: Path) -> None:
    with Usage() as usage:
        used_s = isolated(tmp_path, burn_with_child, 0.3)
    assert used_s >= 0.3
    assert usage.cpu_s == pytest.approx(used_s, abs=SLACK_S)


def test_a_child_that_crashed_counts(tmp_path: Path) -> None:
    with Usage() as usage, pytest.raises(StageCrashError):
        isolated(
            tmp_path, exec, "import os, time\nwhile time.process_time() < 0.3: pass\nos.abort()"
        )
    assert usage.cpu_s == pytest.approx(0.3, abs=2 * SLACK_S)


def test_work_before_and_after_does_not_count() -> None:
    burn_in_thread(0.1)
    with Usage() as usage:
        pass
    burn_in_thread(0.1)
    assert usage.cpu_s < 0.02


def test_memory_that_was_freed_counts_and_what_was_freed_before_does_not(tmp_path: Path) -> None:
    # In a process of its own: an old one hands out again what it never gave back.
    used, left = isolated(tmp_path, freed_before_and_inside, 128 * MIB, 64 * MIB)
    assert used == pytest.approx(64 * MIB, abs=SLACK_BYTES)
    assert left == pytest.approx(0, abs=SLACK_BYTES)


def test_nested_usages_each_see_their_own(tmp_path: Path) -> None:
    outer, inner, cpu_s = isolated(tmp_path, nested_usages, 96 * MIB, 32 * MIB, 0.05)
    assert outer == pytest.approx(96 * MIB, abs=SLACK_BYTES)
    assert inner == pytest.approx(32 * MIB, abs=SLACK_BYTES)
    assert cpu_s == pytest.approx(0.05 + 0.03, abs=SLACK_S)


def test_the_peak_of_a_child_counts_for_its_own_stage_only(tmp_path: Path) -> None:
    """Not for the stages after it, which is what the kernel's sum over children would say."""
    own = peak_bytes()
    peaks = []
    with Usage() as outer:
        for size in (own + 128 * MIB, own + 64 * MIB, MIB):
            with Usage() as usage:
                isolated(tmp_path, touch, size)
            peaks.append(usage.peak_bytes)
    large, medium, small = (peak - own for peak in peaks)
    assert 128 * MIB < large < 160 * MIB
    assert 64 * MIB < medium < 96 * MIB
    assert small < 32 * MIB
    assert outer.peak_bytes == max(peaks)


def test_waiting_tells_how_a_child_ended() -> None:
    for code, status in (("raise SystemExit(3)", 3), ("import os; os.kill(os.getpid(), 9)", -9)):
        child = subprocess.Popen([sys.executable, "-c", code])
        assert wait_for(child) == child.returncode == status


def test_versions_name_what_results_depend_on() -> None:
    found = versions()
    assert found["python"] == sys.version.split()[0]
    assert {"mvrecon", "numpy", "torch"} <= found.keys()
