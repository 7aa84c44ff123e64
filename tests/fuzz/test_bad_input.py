"""Bad input ends in one line and the right exit code; `make fuzz` tries thousands more."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from mvrecon.cli import main
from tests.fuzz.cases import KINDS, fault, fault_of_kind, look_at_mutants
from tests.fuzz.kinds import Kind
from tests.fuzz.look import outcome
from tests.fuzz.watch import CRASHED, HUNG, Outcome, Watched

MUTANTS = 48


@pytest.fixture(scope="module")
def child() -> Iterator[Watched]:
    with Watched() as watched:
        yield watched


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_kind_of_bad_input(kind: Kind, child: Watched, tmp_path: Path) -> None:
    found = child.look(kind.make(tmp_path))
    assert not fault_of_kind(kind, found)


def test_mutated_videos_and_images(tmp_path: Path) -> None:
    tally = look_at_mutants(tmp_path, MUTANTS)
    assert not tally.faults
    assert sum(tally.codes.values()) == MUTANTS
    assert set(tally.codes) >= {0, 3}, "mutants that are read, and mutants that are not"


@pytest.mark.parametrize(
    "name", ["a name that is not UTF-8", "an image whose name is not UTF-8", "a named pipe",
             "cut off while copying", "black", "a name with quotes"],
)  # fmt: skip
def test_the_program_says_the_same(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kind = next(kind for kind in KINDS if kind.name == name)
    path = kind.make(tmp_path)
    run_dir = tmp_path / "run"
    code = main(["run", os.fspath(path), "-o", str(run_dir), "--until", "frames"])
    error = capsys.readouterr().err
    assert code == kind.code
    assert "Traceback" not in error
    assert kind.word in error
    told = [line for line in error.splitlines() if line.startswith("mvrecon: ")]
    assert len(told) == (code != 0)
    assert code or (run_dir / "report.html").stat().st_size > 1000


def test_what_would_be_a_fault_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for bad in (
        Outcome(1, "KeyError('x')", "Traceback"),
        Outcome(CRASHED, "ended with status -11"),
        Outcome(HUNG, "no answer"),
        Outcome(3, "no remedy"),
        Outcome(3, "two\nlines. Mend them"),
        Outcome(3, "Large. Shrink it", memory_bytes=3 << 30),
    ):
        assert fault(bad)
    assert not fault(Outcome(3, "What happened. What to do"))


def test_memory_that_an_input_takes_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def take(_: Path) -> list[str]:
        return [str(len(bytearray(300 << 20)))]

    monkeypatch.setattr("tests.fuzz.look.look", take)
    assert outcome(tmp_path)["memory_bytes"] > 250 << 20
