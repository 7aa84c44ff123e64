"""Who waits for whom, and what is left of a lock when its holder is gone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from mvrecon.engine import lock

HOLDER = (
    "import sys, time; from pathlib import Path; from mvrecon.engine import lock\n"
    "with lock.exclusive(Path(sys.argv[1]), lambda: None): print('held', flush=True); "
    "time.sleep(60)"
)


def no_wait() -> None:
    pytest.fail("nobody else holds it")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "new folder" / "a.lock"


def test_it_is_held_within_and_free_after(path: Path) -> None:
    assert not lock.is_held(path)
    with lock.exclusive(path, no_wait):
        assert lock.is_held(path)
    assert not lock.is_held(path)
    with pytest.raises(ValueError, match="body"), lock.exclusive(path, no_wait):
        raise ValueError("body")
    assert not lock.is_held(path)


def test_asking_whether_it_is_held_does_not_take_it(path: Path) -> None:
    with lock.exclusive(path, no_wait):
        assert lock.is_held(path)
        assert lock.is_held(path)


def test_a_stale_lock_file_is_harmless(path: Path) -> None:
    path.parent.mkdir()
    path.write_text("left by a process long gone")
    assert not lock.is_held(path)
    with lock.exclusive(path, no_wait):
        pass


def test_two_threads_of_a_process_exclude_each_other(path: Path) -> None:
    events: list[str] = []
    waiting = threading.Event()

    def other() -> None:
        def on_wait() -> None:
            events.append("waits")
            waiting.set()

        with lock.exclusive(path, on_wait):
            events.append("second")

    thread = threading.Thread(target=other)
    with lock.exclusive(path, no_wait):
        thread.start()
        assert waiting.wait(10)
        time.sleep(0.1)
        events.append("first")
    thread.join(10)
    assert events == ["waits", "first", "second"]


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGKILL])
def test_it_is_dropped_however_its_process_ends(path: Path, ending: signal.Signals) -> None:
    command = [sys.executable, "-c", HOLDER, str(path)]
    holder = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    assert lock.is_held(path)
    holder.send_signal(ending)
    holder.communicate(timeout=10)
    assert not lock.is_held(path)


def test_a_program_started_under_the_lock_does_not_keep_it(path: Path) -> None:
    with lock.exclusive(path, no_wait):
        child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        assert not lock.is_held(path)
    finally:
        child.communicate()


def test_a_fork_under_the_lock_neither_keeps_nor_drops_it(path: Path) -> None:
    read_fd, write_fd = os.pipe()
    with lock.exclusive(path, no_wait):
        child = os.fork()
        if child == 0:  # the parent closing its end ends it
            os.close(write_fd)
            os.read(read_fd, 1)
            os._exit(0)
        assert lock.is_held(path)
    held_after = lock.is_held(path)
    os.close(write_fd)
    os.close(read_fd)
    os.waitpid(child, 0)
    assert not held_after
