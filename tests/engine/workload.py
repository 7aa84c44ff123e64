"""Work of known size, for children: light to import."""

from __future__ import annotations

import subprocess
import sys
import time


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
