"""Content hashes: of files, of folders, of JSON."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mvrecon import atomic

CHUNK_BYTES = 1 << 20
# A file touched this recently may change again without its time stamp telling.
RACY_S = 2.0
# Size, modification time, hash.
STAMP_PARTS = 3


def canonical_json(value: Any) -> str:
    """JSON text that is equal for equal values."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def hash_text(text: str) -> str:
    """Hex sha256 of a text."""
    return hashlib.sha256(text.encode()).hexdigest()


def hash_file(path: Path) -> str:
    """Hex sha256 of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def hash_items(sha256_of: Mapping[str, str]) -> str:
    """Hex sha256 of a set of named contents."""
    return hash_text(canonical_json(dict(sha256_of)))


class FileHashes:
    """Hashes of the user's files, remembered by size and modification time.

    Args:
        memory: JSON file that outlives the process.
    """

    def __init__(self, memory: Path) -> None:
        self._memory = memory
        self._known = _remembered(memory)

    def of(self, path: Path) -> str:
        """Hash of a file, or of the visible files of a folder and their names."""
        if path.is_dir():
            files = sorted(
                file for file in path.iterdir() if file.is_file() and not file.name.startswith(".")
            )
            return hash_items({file.name: self._of_file(file) for file in files})
        return self._of_file(path)

    def save(self) -> None:
        """Remember for the next process."""
        self._memory.parent.mkdir(parents=True, exist_ok=True)
        atomic.write_text(self._memory, json.dumps(self._known))

    def _of_file(self, path: Path) -> str:
        status = path.stat()
        stamp = [status.st_size, status.st_mtime_ns]
        name = str(path.resolve())
        known = self._known.get(name)
        if known and known[:2] == stamp:
            return str(known[2])
        sha256 = hash_file(path)
        if time.time() - status.st_mtime > RACY_S:
            self._known[name] = [*stamp, sha256]
        return sha256


def _remembered(memory: Path) -> dict[str, list[Any]]:
    """What an earlier process noted; nothing if that is missing or damaged."""
    try:
        noted = json.loads(memory.read_bytes())
        return {str(name): [*stamp] for name, stamp in noted.items() if len(stamp) == STAMP_PARTS}
    except (OSError, ValueError, AttributeError, TypeError, RecursionError):
        return {}
