"""What the items of a result in work hold, noted before each has its name."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from threading import Lock

from mvrecon import atomic

NAMES = "journal*.jsonl"


class Journal:
    """Hashes by item: a line of JSON for each, in a file of its own for each process that writes.

    Args:
        folder: of the result.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._own = folder / f"journal-{atomic.writer()}.jsonl"
        self._lock = Lock()
        self._sha256: dict[str, set[str]] = {}
        self.read()

    def holds(self, name: str, sha256: str) -> bool:
        """Whether that is what some process noted of an item, as far as it has been read."""
        return sha256 in self._sha256.get(name, ())

    def only(self, name: str) -> str | None:
        """What an item holds, if all that noted it agree."""
        found = self._sha256.get(name, set())
        return next(iter(found)) if len(found) == 1 else None

    def note(self, name: str, sha256: str) -> None:
        """Tell other processes, and later ones, what an item is going to hold."""
        with self._lock, self._own.open("a") as file:
            file.write(_line(name, sha256))
            self._sha256[name] = {sha256}

    def read(self) -> None:
        """Take in what any process has noted; a line that a kill cut short is passed over."""
        with self._lock:
            for path in self._folder.glob(NAMES):
                for name, sha256 in _read(path).items():
                    self._sha256.setdefault(name, set()).add(sha256)

    def remove(self) -> None:
        """Forget all: the result is finished."""
        for path in self._folder.glob(NAMES):
            path.unlink()


def write_journal(folder: Path, sha256_of: Mapping[str, str]) -> None:
    """Note what the items of a folder hold, in one step."""
    lines = (_line(name, sha256) for name, sha256 in sha256_of.items())
    atomic.write_text(folder / "journal.jsonl", "".join(lines), sync=True)


def _line(name: str, sha256: str) -> str:
    return json.dumps([name, sha256]) + "\n"


def _read(path: Path) -> dict[str, str]:
    found = {}
    for line in path.read_text(errors="replace").splitlines() if path.is_file() else []:
        try:
            name, sha256 = json.loads(line)
        except (ValueError, TypeError):
            continue
        found[str(name)] = str(sha256)
    return found
