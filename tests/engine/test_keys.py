"""What makes another key, and how the difference is told."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from mvrecon.engine.hashing import FileHashes, hash_text
from mvrecon.engine.keys import Key, changed_parts, make_key
from tests.engine.toy import LINES, SHOUT, LinesConfig, ShoutConfig


@pytest.fixture
def hashes(tmp_path: Path) -> FileHashes:
    return FileHashes(tmp_path / "hashes.json")


def written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_the_name_depends_on_the_parts_and_not_on_their_order() -> None:
    name = Key({"a": 1, "b": {"c": 2}}).name
    assert name == hash_text('{"a":1,"b":{"c":2}}')[:24]
    assert Key({"b": {"c": 2}, "a": 1}).name == name
    assert Key({"a": 1, "b": {"c": 3}}).name != name


def test_all_that_decides_the_result_is_a_part(tmp_path: Path, hashes: FileHashes) -> None:
    text, weights = written(tmp_path / "t", "text"), written(tmp_path / "w", "weights")
    stage = dataclasses.replace(LINES, version=3, files=lambda _: {"shipped": weights})
    config = LinesConfig(strip=True, dictionary=text)
    assert make_key(stage, config, {}, text, hashes).parts == {
        "stage": "lines",
        "version": 3,
        "config": {"strip": True},
        "inputs": {},
        "raw_input": hash_text("text"),
        "files": {"dictionary": hash_text("text"), "shipped": hash_text("weights")},
    }


def test_the_input_counts_only_for_who_reads_it(tmp_path: Path, hashes: FileHashes) -> None:
    digests = {"lines": "digest", "other": "not needed"}
    parts = make_key(SHOUT, ShoutConfig(), digests, tmp_path, hashes).parts
    assert parts["raw_input"] is None
    assert parts["inputs"] == {"lines": "digest"}


@pytest.mark.parametrize(
    ("old", "new", "lines"),
    [
        ({"a": 1}, {"a": 1}, []),
        ({"version": 1}, {"version": 2}, ["version: 1 → 2"]),
        ({"config": {"a": 1, "b": 2}}, {"config": {"a": 1, "b": 3}}, ["config.b: 2 → 3"]),
        ({"config": {}}, {"config": {"a": 1}}, ["config.a: None → 1"]),
        ({"f": "0" * 64}, {"f": "1" * 64}, [f"f: {'0' * 12} → {'1' * 12}"]),
        ({"f": "x" * 64}, {"f": "1"}, [f"f: {'x' * 64} → 1"]),
        ({"f": "a" * 20}, {"f": "b"}, [f"f: {'a' * 20} → b"]),
        ({"b": 1, "a": 1}, {"b": 2, "a": 2}, ["a: 1 → 2", "b: 1 → 2"]),
    ],
)
def test_differences_are_told_by_leaf(
    old: dict[str, Any], new: dict[str, Any], lines: list[str]
) -> None:
    assert changed_parts(old, new) == lines
