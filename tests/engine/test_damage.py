"""Whatever is damaged in a store, a run mends it, gives the same result and says nothing worse."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from mvrecon.engine.journal import NAMES
from mvrecon.engine.partial import MANIFEST
from tests.engine import toy

TEXT = "one\ntwo\nthree"


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def garble(path: Path) -> None:
    path.write_bytes(b"\xff\x00garbage\xfe")


def list_instead(path: Path) -> None:
    path.write_text('[1, "two"]')


def older_version(path: Path) -> None:
    path.write_text('{"key": "k", "items": {"joined.txt": {"sha256": "0"}}}')


DAMAGES = [truncate, empty, garble, list_instead, older_version, Path.unlink]
FILES = {
    "manifest": lambda run: run / "store/shout" / latest(run) / MANIFEST,
    "item": lambda run: run / "store/shout" / latest(run) / "shouts/1.txt",
    "summary": lambda run: run / "store/shout" / latest(run) / "summary.json",
    "pointer": lambda run: run / "store/shout/latest",
    "hashes": lambda run: run / "store/hashes.json",
    "lock": lambda run: run / "store/shout" / f"{latest(run)}.lock",
}


def latest(run: Path) -> str:
    return (run / "store/shout/latest").read_text()


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", FILES)
def test_a_damaged_file_of_a_finished_run_is_mended(
    tmp_path: Path, name: str, damage: Callable[[Path], None]
) -> None:
    before = toy.make_runner(tmp_path, TEXT).run("join")
    path = FILES[name](tmp_path / "run")
    assert name in ("lock", "hashes") or path.is_file()
    if path.is_file() or damage is not Path.unlink:
        damage(path) if path.is_file() else garble(path)
    toy.make_runner(tmp_path).status()
    after = toy.make_runner(tmp_path).run("join", verify=True)
    assert {n: a.digest for n, a in after.items()} == {n: a.digest for n, a in before.items()}
    assert (tmp_path / "run/joined.txt").read_text() == "ONE!,TWO!,THREE!"
    assert [status.state for status in toy.make_runner(tmp_path).status()] == ["cached"] * 3


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", ["shouts/0.txt", "expected.json", NAMES])
def test_a_damaged_file_of_an_interrupted_run_is_made_again(
    tmp_path: Path, name: str, damage: Callable[[Path], None]
) -> None:
    whole = tmp_path / "whole"
    whole.mkdir()
    wanted = toy.make_runner(whole, TEXT).run("join")["join"].digest
    runner = toy.make_runner(tmp_path, TEXT, shout={"fail_at": "shouts/2.txt"})
    with pytest.raises(ValueError, match="told to fail"):
        runner.run("join")
    partial = next((tmp_path / "run/store/shout").glob("*.partial"))
    [path] = partial.glob(name)
    damage(path)
    toy.make_runner(tmp_path).status()
    toy.calls.clear()
    assert toy.make_runner(tmp_path).run("join")["join"].digest == wanted
    kept = [item for item in ("shouts/0.txt", "shouts/1.txt") if item not in toy.calls]
    if name == "shouts/0.txt":
        assert kept == ["shouts/1.txt"]
    elif name == "expected.json":
        assert kept == ["shouts/0.txt", "shouts/1.txt"]


def test_a_clock_set_back_changes_nothing(tmp_path: Path) -> None:
    toy.make_runner(tmp_path, TEXT).run("join")
    future_s = time.time() + 1e6
    for path in (tmp_path / "run").rglob("*"):
        os.utime(path, (future_s, future_s), follow_symlinks=False)
    os.utime(tmp_path / "input.txt", (future_s, future_s))
    toy.calls.clear()
    toy.make_runner(tmp_path).run("join")
    assert toy.calls == []


def test_a_store_on_another_file_system_is_followed(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere = Path("/dev/shm") if os.access("/dev/shm", os.W_OK) else tmp_path_factory.mktemp("s")
    store = elsewhere / f"mvrecon-test-{os.getpid()}"
    store.mkdir()
    (tmp_path / "run").mkdir()
    (tmp_path / "run/store").symlink_to(store)
    try:
        toy.make_runner(tmp_path, TEXT).run("join")
        assert (tmp_path / "run/joined.txt").read_text() == "ONE!,TWO!,THREE!"
        toy.calls.clear()
        toy.make_runner(tmp_path).run("join")
        assert toy.calls == []
    finally:
        import shutil

        shutil.rmtree(store)


def test_a_forced_run_that_was_interrupted_twice_ends(tmp_path: Path) -> None:
    """What an interrupted replacement set aside must not stand in the way of the next."""
    runner = toy.make_runner(tmp_path, TEXT)
    folder = runner.run("join")["shout"].folder
    aside = folder.with_name(f"{folder.name}.replaced")
    aside.mkdir()
    (aside / "rest").write_text("not deleted yet")
    assert runner.run("join", forced={"shout"})["shout"].folder == folder
    assert not aside.exists()
