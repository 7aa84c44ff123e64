"""What is in the store after each step, whole or interrupted."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from mvrecon.atomic import TEMPORARY_PREFIX
from mvrecon.engine.hashing import hash_items, hash_text
from mvrecon.engine.keys import Key
from mvrecon.engine.store import Artifact, CorruptItemError, Store

KEY, OTHER = Key({"version": 1}), Key({"version": 2})
ITEMS = {"a.txt": "one", "folder/b.txt": "two"}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def finish(store: Store, key: Key = KEY, items: dict[str, str] = ITEMS) -> Artifact:
    out = store.open_partial("toy", key)
    for name, text in items.items():
        out.write_text(name, text)
    out.finish(key, {"wall_s": 1.5}, store.folder("toy", key))
    artifact = store.find("toy", key)
    assert artifact is not None
    return artifact


def test_a_finished_result_is_listed_hashed_and_read(store: Store) -> None:
    artifact = finish(store)
    assert artifact.names() == list(ITEMS)
    assert artifact.names("folder/") == ["folder/b.txt"]
    assert artifact.path("a.txt").read_text() == "one"
    assert artifact.digest == hash_items({name: hash_text(text) for name, text in ITEMS.items()})
    assert artifact.size_bytes == 6
    assert artifact.manifest["key"] == KEY.name == artifact.folder.name
    assert artifact.manifest["key_parts"] == {"version": 1}
    assert artifact.manifest["recorded"] == {"wall_s": 1.5}
    assert store.find("toy", OTHER) is None


def test_what_is_not_a_result_is_left_out(store: Store) -> None:
    out = store.open_partial("toy", KEY)
    out.expect(["a.txt"])
    (out.scratch() / "notes").write_text("x")
    (out.folder / f"{TEMPORARY_PREFIX}1-a.txt").write_text("half")
    out.write_text("a.txt", "one")
    out.finish(KEY, {}, store.folder("toy", KEY))
    artifact = store.find("toy", KEY)
    assert artifact is not None
    assert artifact.names() == ["a.txt"]
    assert sorted(path.name for path in artifact.folder.iterdir()) == ["a.txt", "manifest.json"]


def test_an_item_that_failed_is_not_there(store: Store) -> None:
    out = store.open_partial("toy", KEY)

    def fail(path: Path) -> None:
        path.write_text("half")
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        out.write("a.txt", fail)
    assert list(out.folder.iterdir()) == []


def test_work_goes_on_with_the_items_that_are_there(store: Store) -> None:
    out = store.open_partial("toy", KEY)
    out.expect(list(ITEMS))
    out.write_text("a.txt", "one")
    assert store.partial_progress("toy", KEY) == (1, 2)
    assert store.partial_progress("toy", OTHER) is None
    assert store.find("toy", KEY) is None
    again = store.open_partial("toy", KEY)
    assert again.has("a.txt")
    assert not again.has("folder/b.txt")
    again.write_text("folder/b.txt", "two")
    again.finish(KEY, {}, store.folder("toy", KEY))
    resumed = store.find("toy", KEY)
    assert resumed is not None
    assert resumed.digest == finish(store, OTHER).digest


def test_a_result_is_replaced_whole(store: Store) -> None:
    before = finish(store)
    after = finish(store, items={"c.txt": "three"})
    assert after.names() == ["c.txt"]
    assert after.digest != before.digest
    assert {path.name for path in after.folder.parent.iterdir()} == {KEY.name}


def test_a_result_set_aside_by_an_interrupted_replacement_comes_back(store: Store) -> None:
    folder = finish(store).folder
    folder.rename(folder.with_name(f"{folder.name}.replaced"))
    assert store.find("toy", KEY) is None
    store.recover("toy", KEY)
    assert store.find("toy", KEY) is not None


def keep_time(path: Path, text: str) -> None:
    status = path.stat()
    path.write_text(text)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def test_damage_is_found_by_size_by_time_and_by_hash(store: Store) -> None:
    artifact = finish(store)
    item = artifact.folder / "a.txt"
    os.utime(item, (1.0, 1.0))  # touched, not changed
    assert artifact.corrupt_items(check_hashes=False) == []
    artifact = finish(store)
    keep_time(item, "onX")
    assert artifact.corrupt_items(check_hashes=False) == []
    assert artifact.corrupt_items(check_hashes=True) == ["a.txt"]
    with pytest.raises(CorruptItemError, match=r"a\.txt of stage toy"):
        artifact.path("a.txt")
    keep_time(item, "longer")
    assert artifact.corrupt_items(check_hashes=False) == ["a.txt"]
    item.unlink()
    assert artifact.corrupt_items(check_hashes=False) == ["a.txt"]


def test_a_damaged_result_is_work_again_without_its_damaged_items(store: Store) -> None:
    artifact = finish(store)
    store.reopen(artifact, ["a.txt"])
    assert store.find("toy", KEY) is None
    out = store.open_partial("toy", KEY)
    assert not out.has("a.txt")
    assert out.has("folder/b.txt")


def test_the_latest_result_is_remembered_while_it_is_there(store: Store) -> None:
    assert store.latest("toy") is None
    store.set_latest(finish(store, OTHER))
    artifact = finish(store)
    store.set_latest(artifact)
    latest = store.latest("toy")
    assert latest is not None
    assert latest.folder == artifact.folder
    artifact.folder.rename(artifact.folder.with_name("gone"))
    assert store.latest("toy") is None


def test_what_is_not_kept_is_pruned_and_its_bytes_are_told(store: Store) -> None:
    kept, gone = finish(store), finish(store, OTHER)
    size = sum(path.stat().st_size for path in gone.folder.rglob("*") if path.is_file())
    assert store.prune("toy", {kept.folder.name}) == size
    assert [path.name for path in kept.folder.parent.iterdir()] == [kept.folder.name]
    assert store.prune("never ran", set()) == 0


def test_the_summary_is_read_back(store: Store) -> None:
    artifact = finish(store, items={"summary.json": json.dumps({"numbers": {"pairs": 3}})})
    assert artifact.read_summary() == {"numbers": {"pairs": 3}}
