"""A result in work: items that survive an interruption, and the step that finishes it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from mvrecon import atomic
from mvrecon.atomic import TEMPORARY_PREFIX, replacing
from mvrecon.engine import journal
from mvrecon.engine.hashing import hash_file, hash_items
from mvrecon.engine.keys import Key

MANIFEST = "manifest.json"
EXPECTED = "expected.json"
SCRATCH = "scratch"
REPLACED_SUFFIX = ".replaced"
BOOKKEEPING = (MANIFEST, EXPECTED, journal.NAMES)


class PartialArtifact:
    """The folder in which a stage works; finished items in it survive an interruption.

    Args:
        folder: made if it is not there.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for path in folder.rglob("*"):
            if path.is_symlink():  # this program makes none; writing would follow it
                path.unlink()
        self._open(folder)

    def _open(self, folder: Path) -> None:
        self.folder = folder
        self._journal = journal.Journal(folder)
        self._written: set[str] = set()

    def has(self, name: str) -> bool:
        """Whether an item is there already, with the content that was written."""
        if name in self._written:
            return True
        path = self.folder / name
        if not path.is_file():
            return False
        sha256 = hash_file(path)
        if not self._journal.holds(name, sha256):
            self._journal.read()  # another process may have made it
            if not self._journal.holds(name, sha256):
                return False
        self._written.add(name)
        return True

    def path(self, name: str) -> Path:
        """Path of an item that is there already."""
        return self.folder / name

    def write(self, name: str, save: Callable[[Path], None]) -> None:
        """Store an item atomically: `save` writes a temporary path, which is then renamed."""
        final = self.folder / name
        final.parent.mkdir(parents=True, exist_ok=True)
        with replacing(final, sync=True) as temporary:
            save(temporary)
            self._journal.note(name, hash_file(temporary))
        self._written.add(name)

    def write_text(self, name: str, text: str) -> None:
        """Store a text item."""

        def save(path: Path) -> None:
            path.write_text(text)

        self.write(name, save)

    def scratch(self) -> Path:
        """A folder for intermediate files, deleted when the stage is done."""
        folder = self.folder / SCRATCH
        folder.mkdir(exist_ok=True)
        return folder

    def scratch_item(self, name: str) -> str:
        """Name of an item that is deleted when the stage is done."""
        return f"{SCRATCH}/{name}"

    def expect(self, names: list[str]) -> None:
        """Note which items the stage is going to make, for `status`."""
        atomic.write_text(self.folder / EXPECTED, json.dumps(names))

    def finish(self, key: Key, recorded: Mapping[str, Any], final: Path) -> None:
        """Write the manifest and move the folder to its final name."""
        shutil.rmtree(self.folder / SCRATCH, ignore_errors=True)
        (self.folder / EXPECTED).unlink(missing_ok=True)
        self._journal.read()
        items: dict[str, dict[str, Any]] = {}
        for path in sorted(path for path in self.folder.rglob("*") if path.is_file()):
            name = path.relative_to(self.folder).as_posix()
            if path.name.startswith(TEMPORARY_PREFIX):
                path.unlink()
            elif not any(fnmatch(name, pattern) for pattern in BOOKKEEPING):
                status = path.stat()
                items[name] = {
                    "sha256": self._journal.only(name) or hash_file(path),
                    "size": status.st_size,
                    "mtime_ns": status.st_mtime_ns,
                }
        manifest = {
            "key": key.name,
            "key_parts": key.parts,
            "digest": hash_items({name: item["sha256"] for name, item in items.items()}),
            "items": items,
            "recorded": recorded,
        }
        atomic.write_text(self.folder / MANIFEST, json.dumps(manifest, indent=1), sync=True)
        replaced = final.with_name(final.name + REPLACED_SUFFIX)
        if final.exists():
            final.rename(replaced)
        self.folder.rename(final)
        # Only now: until then an interrupted run may go on with the items.
        journal.Journal(final).remove()
        shutil.rmtree(replaced, ignore_errors=True)
