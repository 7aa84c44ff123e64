"""Seconds and peak memory of a piece of work, and the versions it ran with."""

from __future__ import annotations

import resource
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
    "kornia",
    "av",
)
KIB = 1024


class Usage:
    """Measures the process and its children between entry and exit.

    Attributes:
        wall_s: elapsed time.
        cpu_s: processor time, children included.
        peak_bytes: largest resident size of the process or of a child.
    """

    wall_s = 0.0
    cpu_s = 0.0
    peak_bytes = 0

    def __enter__(self) -> Usage:
        _reset_peak()
        self._started = time.monotonic()
        self._cpu_before_s = _cpu_seconds()
        return self

    def __exit__(self, *_: object) -> None:
        self.wall_s = time.monotonic() - self._started
        self.cpu_s = _cpu_seconds() - self._cpu_before_s
        children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * KIB
        self.peak_bytes = max(_peak_bytes(), children)

    def to_json(self) -> Mapping[str, Any]:
        """For the manifest."""
        return {
            "wall_s": round(self.wall_s, 3),
            "cpu_s": round(self.cpu_s, 3),
            "peak_bytes": self.peak_bytes,
        }


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
    unit = 1 if sys.platform == "darwin" else KIB
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
