"""The artifact store: `store/<stage>/<key>/`, finished folders and the ones in work.

Work happens in `<key>.partial/`; the manifest is written last and the folder renamed, so
a folder named by its key alone is complete.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mvrecon import atomic
from mvrecon.atomic import TEMPORARY_PREFIX, replacing
from mvrecon.engine.hashing import hash_file, hash_items
from mvrecon.engine.keys import Key
from mvrecon.engine.lock import is_held
from mvrecon.errors import MvreconError

MANIFEST = "manifest.json"
EXPECTED = "expected.json"
SUMMARY_ITEM = "summary.json"
PARTIAL_SUFFIX = ".partial"
REPLACED_SUFFIX = ".replaced"
SCRATCH = "scratch"
BOOKKEEPING = frozenset({MANIFEST, EXPECTED})


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
    """A finished result of a stage, read-only. Items are verified when first asked for."""

    def __init__(self, stage: str, folder: Path) -> None:
        self.stage = stage
        self.folder = folder
        self.manifest: dict[str, Any] = json.loads((folder / MANIFEST).read_text())
        self._records = {
            name: ItemRecord(**record) for name, record in self.manifest["items"].items()
        }
        self._verified: set[str] = set()

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
        summary: dict[str, Any] = json.loads((self.folder / SUMMARY_ITEM).read_text())
        return summary

    def _is_intact(self, name: str, check_hash: bool) -> bool:
        record = self._records.get(name)
        path = self.folder / name
        if record is None or not path.is_file():
            return False
        status = path.stat()
        if status.st_size != record.size:
            return False
        if status.st_mtime_ns == record.mtime_ns and not check_hash:
            return True
        return hash_file(path) == record.sha256


class PartialArtifact:
    """The folder in which a stage works; finished items in it survive an interruption."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._sha256: dict[str, str] = {}
        folder.mkdir(parents=True, exist_ok=True)

    def has(self, name: str) -> bool:
        """Whether an item is there already."""
        return (self.folder / name).is_file()

    def path(self, name: str) -> Path:
        """Path of an item that is there already."""
        return self.folder / name

    def write(self, name: str, save: Callable[[Path], None]) -> None:
        """Store an item atomically: `save` writes a temporary path, which is then renamed."""
        final = self.folder / name
        final.parent.mkdir(parents=True, exist_ok=True)
        with replacing(final, sync=True) as temporary:
            save(temporary)
            self._sha256[name] = hash_file(temporary)

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
        (self.folder / EXPECTED).write_text(json.dumps(names))

    def finish(self, key: Key, recorded: Mapping[str, Any], final: Path) -> None:
        """Write the manifest and move the folder to its final name."""
        shutil.rmtree(self.folder / SCRATCH, ignore_errors=True)
        (self.folder / EXPECTED).unlink(missing_ok=True)
        items: dict[str, dict[str, Any]] = {}
        for path in sorted(path for path in self.folder.rglob("*") if path.is_file()):
            name = path.relative_to(self.folder).as_posix()
            if path.name.startswith(TEMPORARY_PREFIX):
                path.unlink()
            elif name not in BOOKKEEPING:
                status = path.stat()
                items[name] = {
                    "sha256": self._sha256.get(name) or hash_file(path),
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
        shutil.rmtree(replaced, ignore_errors=True)


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
        """The finished result, if there is one."""
        folder = self.folder(stage, key)
        return Artifact(stage, folder) if (folder / MANIFEST).is_file() else None

    def recover(self, stage: str, key: Key) -> None:
        """Bring back the result that an interrupted `finish` set aside.

        Only for who holds the result's lock: another process may be in `finish` now.
        """
        folder = self.folder(stage, key)
        replaced = folder.with_name(folder.name + REPLACED_SUFFIX)
        if replaced.exists() and not folder.exists():
            replaced.rename(folder)

    def open_partial(self, stage: str, key: Key) -> PartialArtifact:
        """The folder to work in, with the items that an interrupted run left."""
        folder = self.folder(stage, key)
        return PartialArtifact(folder.with_name(folder.name + PARTIAL_SUFFIX))

    def partial_progress(self, stage: str, key: Key) -> tuple[int, int] | None:
        """(items there, items expected) of an interrupted run."""
        folder = self.folder(stage, key)
        partial = folder.with_name(folder.name + PARTIAL_SUFFIX)
        if not partial.is_dir():
            return None
        expected = partial / EXPECTED
        names = json.loads(expected.read_text()) if expected.is_file() else []
        return sum((partial / name).is_file() for name in names), len(names)

    def reopen(self, artifact: Artifact, corrupt: list[str]) -> None:
        """Turn a finished result back into one in work, without its corrupt items."""
        partial = artifact.folder.with_name(artifact.folder.name + PARTIAL_SUFFIX)
        shutil.rmtree(partial, ignore_errors=True)
        for name in corrupt:
            (artifact.folder / name).unlink(missing_ok=True)
        artifact.folder.rename(partial)
        (partial / MANIFEST).unlink()

    def latest(self, stage: str) -> Artifact | None:
        """The result that was last in use, whatever its key."""
        pointer = self.root / stage / "latest"
        if not pointer.is_file():
            return None
        folder = self.root / stage / pointer.read_text()
        return Artifact(stage, folder) if (folder / MANIFEST).is_file() else None

    def set_latest(self, artifact: Artifact) -> None:
        """Remember which result is in use."""
        pointer = self.root / artifact.stage / "latest"
        if pointer.is_file() and pointer.read_text() == artifact.folder.name:
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
