"""Equal content, equal hash; and what is remembered of files."""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path

import pytest

from mvrecon.engine import hashing
from mvrecon.engine.hashing import FileHashes, canonical_json, hash_file, hash_items, hash_text

LONG_AGO_S = 1000.0


def write(path: Path, text: str, age_s: float = LONG_AGO_S) -> Path:
    path.write_text(text)
    then = time.time() - age_s
    os.utime(path, (then, then))
    return path


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files whose content was read."""
    names: list[str] = []

    def counted(path: Path) -> str:
        names.append(path.name)
        return hash_file(path)

    monkeypatch.setattr(hashing, "hash_file", counted)
    return names


def test_json_is_equal_for_equal_values() -> None:
    assert canonical_json({"b": [1, 2.5], "a": None}) == '{"a":null,"b":[1,2.5]}'
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical_json(float("nan"))


def test_hashes_are_sha256(tmp_path: Path) -> None:
    expected = hashlib.sha256(b"abc").hexdigest()
    assert hash_text("abc") == hash_file(write(tmp_path / "a", "abc")) == expected
    assert hash_items({"a": "1"}) == hash_text('{"a":"1"}')


def test_a_folder_counts_by_its_visible_files_and_their_names(tmp_path: Path) -> None:
    hashes = FileHashes(tmp_path / "memory.json")
    folder = tmp_path / "folder"
    folder.mkdir()
    write(folder / "a", "1")
    write(folder / "b", "2")
    before = hashes.of(folder)
    write(folder / ".hidden", "3")
    (folder / "inner").mkdir()
    assert hashes.of(folder) == before
    (folder / "b").rename(folder / "c")
    assert hashes.of(folder) != before


def test_a_file_is_read_once_and_remembered_for_the_next_process(
    tmp_path: Path, read: list[str]
) -> None:
    path, memory = write(tmp_path / "a", "1"), tmp_path / "new" / "memory.json"
    hashes = FileHashes(memory)
    assert hashes.of(path) == hashes.of(path) == hash_text("1")
    hashes.save()
    assert FileHashes(memory).of(path) == hash_text("1")
    assert read == ["a"]
    write(path, "2", age_s=LONG_AGO_S / 2)
    assert FileHashes(memory).of(path) == hash_text("2")


def test_a_file_that_was_just_written_is_read_again(tmp_path: Path, read: list[str]) -> None:
    """Its time stamp would not tell of another change within the same tick."""
    path, hashes = write(tmp_path / "a", "1", age_s=0.0), FileHashes(tmp_path / "memory.json")
    hashes.of(path)
    hashes.of(path)
    assert read == ["a", "a"]


def test_a_damaged_memory_is_forgotten(tmp_path: Path) -> None:
    memory = write(tmp_path / "memory.json", "{")
    assert FileHashes(memory).of(write(tmp_path / "a", "1")) == hash_text("1")
