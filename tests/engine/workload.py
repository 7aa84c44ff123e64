"""Work of known size, for children: light to import."""

from __future__ import annotations

import subprocess
import sys
import time

from mvrecon.engine.measure import Usage


def burn(until_s: float) -> float:
    """Use the processor until the process has used so much; what it has used, s."""
    while time.process_time() < until_s:
        pass
    return time.process_time()


def burn_in_thread(seconds: float) -> None:
    """The same for the current thread alone."""
    end_s = time.thread_time() + seconds
    while time.thread_time() < end_s:
        pass


def burn_with_child(until_s: float) -> float:
    """Let a child burn, and nothing more."""
    code = f"from tests.engine.workload import burn; burn({until_s})"
    subprocess.run([sys.executable, "-c", code], check=True)
    return time.process_time() + until_s


def touch(size_bytes: int) -> int:
    """Hold so much memory for a moment."""
    return len(b"\x01" * size_bytes)


def peak_bytes() -> int:
    """The resident size of this process now."""
    with Usage() as usage:
        pass
    return usage.peak_bytes


def nested_usages(outer_bytes: int, inner_bytes: int, burnt_s: float) -> tuple[float, ...]:
    """Peaks above the start of a usage and of one inside it, and their difference in CPU time."""
    before = peak_bytes()
    with Usage() as outer:
        touch(outer_bytes)
        burn_in_thread(burnt_s)
        with Usage() as inner:
            touch(inner_bytes)
            burn_in_thread(burnt_s)
    return outer.peak_bytes - before, inner.peak_bytes - before, outer.cpu_s - inner.cpu_s


def freed_before_and_inside(freed_bytes: int, used_bytes: int) -> tuple[int, int]:
    """Peak of a usage after much was freed, and the size afterwards, both above the start."""
    touch(freed_bytes)
    before = peak_bytes()
    with Usage() as usage:
        touch(used_bytes)
    return usage.peak_bytes - before, peak_bytes() - before
