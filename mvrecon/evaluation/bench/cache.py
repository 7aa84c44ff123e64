"""Measured results, kept in the engine's store under a key of all that decides them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mvrecon.engine import lock
from mvrecon.engine.hashing import FileHashes
from mvrecon.engine.keys import Key
from mvrecon.engine.partial import PartialArtifact
from mvrecon.engine.store import Artifact, Store


class ResultCache:
    """Results by key; each is written whole or not at all, by one process at a time.

    Args:
        folder: holds the store.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._store = Store(folder / "store")
        self.hashes = FileHashes(self._store.root / "hashes.json")

    def find(self, kind: str, parts: Mapping[str, Any]) -> Artifact | None:
        """The result, unless it is missing or damaged."""
        artifact = self._store.find(kind, Key(parts))
        return artifact if artifact and not artifact.corrupt_items(check_hashes=False) else None

    def get(self, kind: str, parts: Mapping[str, Any]) -> Artifact:
        """The result, which has to be there."""
        artifact = self.find(kind, parts)
        assert artifact is not None
        return artifact

    def make(
        self,
        kind: str,
        parts: Mapping[str, Any],
        write: Callable[[PartialArtifact], None],
    ) -> Artifact:
        """The result, made by `write` unless it is there."""
        key = Key(parts)
        with lock.exclusive(self._store.lock_path(kind, key), lambda: None):
            if artifact := self.find(kind, parts):
                return artifact
            out = self._store.open_partial(kind, key)
            write(out)
            out.finish(key, {}, self._store.folder(kind, key))
            return self.get(kind, parts)
