"""The artifact store: `store/<stage>/<key>/`, finished folders and the ones in work.

Work happens in `<key>.partial/`; the manifest is written last and the folder renamed, so
a folder named by its key alone is complete.
"""

from __future__ import annotations

import json
import logging
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mvrecon import atomic
from mvrecon.engine.hashing import hash_file
from mvrecon.engine.journal import write_journal
from mvrecon.engine.keys import Key
from mvrecon.engine.lock import is_held
from mvrecon.engine.partial import (
    EXPECTED,
    MANIFEST,
    REPLACED_SUFFIX,
    PartialArtifact,
)
from mvrecon.errors import MvreconError
from mvrecon.formats.files import stays_inside

SUMMARY_ITEM = "summary.json"
PARTIAL_SUFFIX = ".partial"

log = logging.getLogger(__name__)


class UnreadableManifestError(Exception):
    """A manifest is damaged, or of a version that this one cannot read."""


class CorruptItemError(MvreconError):
    """An item's content is not what was stored."""

    def __init__(self, stage: str, item: str) -> None:
        super().__init__(
            f"item {item} of stage {stage} is corrupt or missing in the store",
            f"Run again: it is rebuilt (or force it with --rerun {stage})",
        )
        self.stage = stage
        self.item = item


@dataclass(frozen=True)
class ItemRecord:
    """What the manifest knows of one item."""

    sha256: str
    size: int
    mtime_ns: int


class Artifact:
    """A finished result of a stage, read-only. Items are verified when first asked for.

    Raises:
        UnreadableManifestError: what is there is no manifest.
    """

    def __init__(self, stage: str, folder: Path) -> None:
        self.stage = stage
        self.folder = folder
        try:
            self.manifest: dict[str, Any] = json.loads((folder / MANIFEST).read_bytes())
            self._records = {
                name: ItemRecord(**record) for name, record in self.manifest["items"].items()
            }
            missing = {"digest", "key_parts", "recorded"} - set(self.manifest)
        except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise UnreadableManifestError(str(folder / MANIFEST)) from error
        if missing:
            raise UnreadableManifestError(f"{folder / MANIFEST} has no {sorted(missing)[0]}")
        self._verified: set[str] = set()
        if foreign := [name for name in self._records if not stays_inside(name)]:
            raise UnreadableManifestError(f"{folder / MANIFEST} names {foreign[0]!r} elsewhere")

    @property
    def digest(self) -> str:
        """Hash of all the items: equal for equal results."""
        return str(self.manifest["digest"])

    @property
    def size_bytes(self) -> int:
        """Sum of the items' sizes."""
        return sum(record.size for record in self._records.values())

    def names(self, prefix: str = "") -> list[str]:
        """Sorted item names."""
        return sorted(name for name in self._records if name.startswith(prefix))

    def path(self, name: str) -> Path:
        """Path of an item, its hash checked on the first call."""
        path = self.folder / name
        if name not in self._verified:
            if not self._is_intact(name, check_hash=True):
                raise CorruptItemError(self.stage, name)
            self._verified.add(name)
        return path

    def corrupt_items(self, check_hashes: bool) -> list[str]:
        """Items that are not as stored, by size and time, or by their hashes if asked."""
        return [name for name in self._records if not self._is_intact(name, check_hashes)]

    def read_summary(self) -> dict[str, Any]:
        """The numbers and warnings that the stage gave."""
        summary: dict[str, Any] = json.loads(self.path(SUMMARY_ITEM).read_text())
        return summary

    def keep_journal(self) -> None:
        """Note the items as those of a result in work, which this one is to become."""
        write_journal(self.folder, {name: one.sha256 for name, one in self._records.items()})

    def _is_intact(self, name: str, check_hash: bool) -> bool:
        record = self._records.get(name)
        path = self.folder / name
        # What is a link was not written by this program, and may lead anywhere.
        if record is None or path.is_symlink() or not path.is_file():
            return False
        status = path.stat()
        if status.st_size != record.size:
            return False
        if status.st_mtime_ns == record.mtime_ns and not check_hash:
            return True
        return hash_file(path) == record.sha256


class Store:
    """All results of a run directory."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def folder(self, stage: str, key: Key) -> Path:
        """Where the finished result is, or will be."""
        return self.root / stage / key.name

    def lock_path(self, stage: str, key: Key) -> Path:
        """Lock file of one result."""
        return self.root / stage / f"{key.name}.lock"

    def find(self, stage: str, key: Key) -> Artifact | None:
        """The finished result, if there is one that can be read."""
        return _read(stage, self.folder(stage, key))

    def recover(self, stage: str, key: Key) -> None:
        """Bring back, or delete, the result that an interrupted `finish` set aside.

        Only for who holds the result's lock: another process may be in `finish` now.
        """
        folder = self.folder(stage, key)
        replaced = folder.with_name(folder.name + REPLACED_SUFFIX)
        if folder.exists():
            shutil.rmtree(replaced, ignore_errors=True)
        elif replaced.exists():
            replaced.rename(folder)

    def open_partial(self, stage: str, key: Key) -> PartialArtifact:
        """The folder to work in, with the items that an interrupted run left."""
        return PartialArtifact(self.partial_folder(stage, key))

    def partial_folder(self, stage: str, key: Key) -> Path:
        """Where a result is while it is in work."""
        folder = self.folder(stage, key)
        return folder.with_name(folder.name + PARTIAL_SUFFIX)

    def drop_partial(self, stage: str, key: Key) -> None:
        """Delete an interrupted replacement of a result that is to stay as it is."""
        shutil.rmtree(self.partial_folder(stage, key), ignore_errors=True)

    def partial_progress(self, stage: str, key: Key) -> tuple[int, int] | None:
        """(items there, items expected) of an interrupted run."""
        partial = self.partial_folder(stage, key)
        if not partial.is_dir():
            return None
        names = self.expected_items(stage, key)
        return sum((partial / name).is_file() for name in names), len(names)

    def expected_items(self, stage: str, key: Key) -> tuple[str, ...]:
        """What a stage in work said last that it is going to make; nothing if it did not."""
        partial = self.partial_folder(stage, key)
        try:
            return tuple(str(name) for name in json.loads(_text(partial / EXPECTED)))
        except (ValueError, TypeError):
            return ()

    def reopen(self, artifact: Artifact, corrupt: list[str]) -> None:
        """Turn a finished result back into one in work, without its corrupt items."""
        partial = artifact.folder.with_name(artifact.folder.name + PARTIAL_SUFFIX)
        shutil.rmtree(partial, ignore_errors=True)
        root = artifact.folder.resolve()
        for name in corrupt:
            item = artifact.folder / name
            if item.parent.resolve().is_relative_to(root):
                item.unlink(missing_ok=True)
        artifact.keep_journal()
        artifact.folder.rename(partial)
        (partial / MANIFEST).unlink()

    def latest(self, stage: str) -> Artifact | None:
        """The result that was last in use, whatever its key."""
        name = _text(self.root / stage / "latest") or "none"
        folder = self.root / stage / name
        is_of_stage = stays_inside(name) and folder.parent == self.root / stage
        return _read(stage, folder) if is_of_stage else None

    def set_latest(self, artifact: Artifact) -> None:
        """Remember which result is in use."""
        pointer = self.root / artifact.stage / "latest"
        if _text(pointer) == artifact.folder.name:
            return
        atomic.write_text(pointer, artifact.folder.name)

    def prune(self, stage: str, keep: set[str]) -> int:
        """Delete a stage's results but the kept ones and those that a process works on.

        Returns:
            The bytes freed.
        """
        freed = 0
        folder = self.root / stage
        for path in folder.iterdir() if folder.is_dir() else []:
            in_work = is_held(folder / f"{path.name.partition('.')[0]}.lock")
            if path.is_dir() and path.name not in keep and not in_work:
                freed += sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
                shutil.rmtree(path)
        return freed


def _read(stage: str, folder: Path) -> Artifact | None:
    """The result in a folder; none if its manifest is missing or damaged."""
    if not (folder / MANIFEST).is_file():
        return None
    try:
        return Artifact(stage, folder)
    except UnreadableManifestError as error:
        log.warning("%s: %s cannot be read; the result is not used", stage, error)
        return None


def _text(path: Path) -> str:
    """Content of a small file, "" if it is missing or no text."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""
