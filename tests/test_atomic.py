from __future__ import annotations

import threading
from pathlib import Path

import pytest

from mvrecon import atomic


def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    atomic.write_text(path, "old")
    with pytest.raises(RuntimeError), atomic.replacing(path) as temporary:
        temporary.write_text("ha")
        raise RuntimeError
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_the_new_file_is_not_there_before_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "result.npz"
    with atomic.replacing(path, sync=True) as temporary:
        temporary.write_text("new")
        assert not path.exists()
        assert temporary.suffix == ".npz"
    assert path.read_text() == "new"


def test_writers_of_one_file_do_not_take_each_others(tmp_path: Path) -> None:
    path = tmp_path / "shared"
    both_open = threading.Barrier(2, timeout=10)
    errors: list[Exception] = []

    def write(text: str) -> None:
        try:
            with atomic.replacing(path) as temporary:
                temporary.write_text(text)
                both_open.wait()
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=write, args=(text,)) for text in ("one", "two")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert path.read_text() in ("one", "two")
    assert list(tmp_path.iterdir()) == [path]
