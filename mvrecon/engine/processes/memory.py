"""How much memory a run may take, and how its lack is told from other errors."""

from __future__ import annotations

import os
import resource
from pathlib import Path

# Of the machine's memory: an error of ours is better than a machine that swaps or kills.
DEFAULT_SHARE = 0.9
CGROUP_LIMITS = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)
# What libraries say that raise no MemoryError.
LAST_WORDS = ("can't allocate memory", "not enough memory", "Insufficient memory", "bad_alloc")


def limit_memory(limit_bytes: int | None = None) -> None:
    """Let allocations of this process, and of each child that it starts, fail beyond a limit.

    Args:
        limit_bytes: of private memory; most of what the machine has if None.
    """
    if limit_bytes is None:
        limit_bytes = round(DEFAULT_SHARE * machine_bytes())
    _, hard_bytes = resource.getrlimit(resource.RLIMIT_DATA)
    if hard_bytes != resource.RLIM_INFINITY:
        limit_bytes = min(limit_bytes, hard_bytes)
    resource.setrlimit(resource.RLIMIT_DATA, (limit_bytes, hard_bytes))


def machine_bytes() -> int:
    """Memory of the machine, or of the container if it has less."""
    found = [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]
    for path in CGROUP_LIMITS:
        text = path.read_text().strip() if path.is_file() else ""
        if text.isdigit():
            found.append(int(text))
    return min(found)


def is_lack_of_memory(error: BaseException) -> bool:
    """Whether an error says that an allocation failed."""
    return isinstance(error, MemoryError) or is_told(str(error))


def is_told(text: str) -> bool:
    """Whether a library's message says that."""
    return any(words in text for words in LAST_WORDS)
