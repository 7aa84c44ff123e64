"""What this machine lacks, and the command that mends it."""

from __future__ import annotations

import ctypes
import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from mvrecon.engine.measure import versions
from mvrecon.engine.plugins import FLOW_MODELS, STAGES, Plugins
from mvrecon.errors import MvreconError, UsageError

# Open3D loads these even where there is no screen: shared library → Debian's package.
OPEN3D_LIBRARIES = {
    "libusb-1.0.so.0": "libusb-1.0-0",
    "libGL.so.1": "libgl1",
    "libEGL.so.1": "libegl1",
    "libX11.so.6": "libx11-6",
}
PYTHON_PACKAGES = ("torch", "cv2", "jinja2", "open3d", "pycolmap", "av", "PIL")
MIN_MEMORY_GIB = 4.0
MIN_DISK_GIB = 5.0
GIB = 1024**3


@dataclass(frozen=True)
class Check:
    """One finding of the doctor."""

    good: bool
    what: str


class MissingLibraryError(MvreconError):
    """A system library that Open3D needs is not installed."""


def missing_packages() -> list[str]:
    """Debian's names of the system libraries that are missing (Linux only)."""
    return [
        package
        for library, package in OPEN3D_LIBRARIES.items()
        if sys.platform == "linux" and not _loads(library)
    ]


def require_system_libraries() -> None:
    """Fail now, not after minutes of work.

    Raises:
        MissingLibraryError: with the command that installs what is missing.
    """
    if packages := missing_packages():
        raise MissingLibraryError(
            f"system libraries that Open3D needs are missing: {', '.join(packages)}",
            f"Install them: sudo apt-get install -y {' '.join(packages)}",
        )


def examine(folder: Path) -> Iterator[Check]:
    """Everything that a run depends on, for a run below `folder`."""
    yield Check(sys.version_info >= (3, 11), f"Python {sys.version.split()[0]}")
    for name in PYTHON_PACKAGES:
        yield Check(find_spec(name) is not None, f"Python package {name}")
    for name, version in versions().items():
        yield Check(True, f"{name} {version}")
    for plugins in (FLOW_MODELS, STAGES):
        yield from map(partial(_plugin, plugins), plugins.names())
    packages = missing_packages()
    remedy = f": apt-get install -y {' '.join(packages)}" if packages else ""
    yield Check(not packages, f"system libraries for Open3D{remedy}")
    memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / GIB
    yield Check(memory_gib >= MIN_MEMORY_GIB, f"{memory_gib:.1f} GiB of memory")
    free_gib = shutil.disk_usage(folder).free / GIB
    yield Check(free_gib >= MIN_DISK_GIB, f"{free_gib:.1f} GiB free below {folder}")
    yield Check(os.access(folder, os.W_OK), f"{folder} can be written")


def _plugin(plugins: Plugins, name: str) -> Check:
    """Whether what another package offers can be imported."""
    what = f"{plugins.what} {name} of {plugins.provider(name)}"
    try:
        plugins.load(name)
    except UsageError as error:
        return Check(False, f"{what}: {error}")
    return Check(True, what)


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True
