"""Seconds and peak memory of a piece of work, and the versions it ran with."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

LIBRARIES = (
    "mvrecon",
    "numpy",
    "torch",
    "opencv-python-headless",
    "open3d-cpu",
    "open3d",
    "pycolmap",
    "av",
)
KIB = 1024


class Usage:
    """Measures this process, its threads and the children that it waited for, entry to exit.

    Usages may be nested. A child counts when it is waited for, with its own children.

    Attributes:
        wall_s: elapsed time.
        cpu_s: processor time.
        peak_bytes: largest resident size of the process or of a child. That of a child which was
            not waited for by `wait_for` is seen only if no earlier child was larger.
    """

    wall_s = 0.0
    cpu_s = 0.0
    peak_bytes = 0

    def __enter__(self) -> Usage:
        _note_peak(_peak_bytes())  # for those around this one, before it is forgotten
        _reset_peak()
        _running.append(self)
        self._children_before_bytes = _max_bytes(resource.getrusage(resource.RUSAGE_CHILDREN))
        self._started = time.monotonic()
        self._cpu_before_s = _cpu_seconds()
        return self

    def __exit__(self, *_: object) -> None:
        self.wall_s = time.monotonic() - self._started
        self.cpu_s = _cpu_seconds() - self._cpu_before_s
        children_bytes = _max_bytes(resource.getrusage(resource.RUSAGE_CHILDREN))
        _note_peak(_peak_bytes())
        if children_bytes > self._children_before_bytes:
            _note_peak(children_bytes)
        _running.remove(self)

    def to_json(self) -> Mapping[str, Any]:
        """For the manifest."""
        return {
            "wall_s": round(self.wall_s, 3),
            "cpu_s": round(self.cpu_s, 3),
            "peak_bytes": self.peak_bytes,
        }


_running: list[Usage] = []


def wait_for(child: subprocess.Popen[bytes]) -> int:
    """Wait for a child, so that the usages which are being measured see its own peak.

    The kernel tells the peak of all children together since the process began, and of one child
    only to who waits for it.

    Returns:
        Its exit status, as `Popen.wait` does.
    """
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    _note_peak(_max_bytes(usage))
    return child.returncode


def versions() -> dict[str, str]:
    """Versions of Python and of the libraries that results may depend on."""
    found = {"python": sys.version.split()[0]}
    for library in LIBRARIES:
        try:
            found[library] = version(library)
        except PackageNotFoundError:
            continue
    return found


def _cpu_seconds() -> float:
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def _note_peak(size_bytes: int) -> None:
    for usage in _running:
        usage.peak_bytes = max(usage.peak_bytes, size_bytes)


def _reset_peak() -> None:
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return  # then the peak is that of the whole process so far


def _peak_bytes() -> int:
    try:
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * KIB
    except OSError:
        pass
    return _max_bytes(resource.getrusage(resource.RUSAGE_SELF))


def _max_bytes(usage: resource.struct_rusage) -> int:
    return usage.ru_maxrss * (1 if sys.platform == "darwin" else KIB)
