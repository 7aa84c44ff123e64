"""What a child process may do without taking the parent along."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from mvrecon.engine import progress
from mvrecon.engine.processes import isolate
from mvrecon.engine.processes.channel import report_progress
from mvrecon.engine.processes.isolate import run_isolated
from mvrecon.errors import InputError, StageCrashError


def double(value: int) -> int:
    return 2 * value


def large(size: int) -> bytes:
    return bytes(size)


def abort() -> None:
    os.write(2, b"Check failed: it is wrong\n")
    os.abort()


def refuse() -> None:
    raise InputError("bad file", "Use another")


def sleep_for_ever() -> None:
    time.sleep(1000)


def test_returns_what_the_function_returns(tmp_path: Path) -> None:
    assert run_isolated(double, (21,), tmp_path / "log", "toy") == 42


def test_large_results_and_arguments_pass(tmp_path: Path) -> None:
    assert len(run_isolated(large, (5_000_000,), tmp_path / "log", "toy")) == 5_000_000
    assert run_isolated(len, (bytes(5_000_000),), tmp_path / "log", "toy") == 5_000_000


def test_an_error_of_the_function_is_raised_here(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="bad file"):
        run_isolated(refuse, (), tmp_path / "log", "toy")


def test_a_native_abort_becomes_an_error_with_its_last_words(tmp_path: Path) -> None:
    with pytest.raises(StageCrashError, match=r"stage toy.*SIGABRT.*it is wrong"):
        run_isolated(abort, (), tmp_path / "log", "toy")


def test_a_hang_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(isolate, "HANG_S", 2.0)
    monkeypatch.setattr(isolate, "POLL_S", 0.2)
    with pytest.raises(StageCrashError, match="no progress"):
        run_isolated(sleep_for_ever, (), tmp_path / "log", "toy")


def count_to_three() -> None:
    for done in range(1, 4):
        report_progress(done, 3, "step")


def test_progress_of_the_child_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(progress, "LINE_EVERY_S", 0.0)
    caplog.set_level("INFO", "mvrecon")
    run_isolated(count_to_three, (), tmp_path / "log", "toy")
    assert "toy: 3/3 steps" in caplog.text
