"""Items made in threads, each once, and what is told meanwhile."""

from __future__ import annotations

import logging
import threading
from pathlib import Path

import cv2
import pytest

from mvrecon.engine import progress
from mvrecon.engine.context import RunContext
from mvrecon.engine.partial import EXPECTED, PartialArtifact
from tests.engine.toy import LinesConfig

NAMES = [f"items/{number}" for number in range(6)]


def make_context(folder: Path, workers: int = 2) -> RunContext[LinesConfig]:
    out = PartialArtifact(folder / "key.partial")
    return RunContext(
        name="toy", config=LinesConfig(), inputs={}, raw_input=folder, workers=workers, out=out
    )


def test_every_missing_item_is_made_once(tmp_path: Path) -> None:
    context = make_context(tmp_path)
    context.out.write_text(NAMES[2], "there")
    made: list[str] = []

    def make(name: str) -> None:
        made.append(name)
        context.out.write_text(name, "made")

    context.make_items(NAMES, make, "item")
    assert sorted(made) == [name for name in NAMES if name != NAMES[2]]
    assert context.out.path(NAMES[2]).read_text() == "there"
    assert all(context.out.has(name) for name in NAMES)
    assert EXPECTED in {path.name for path in context.out.folder.iterdir()}


@pytest.mark.parametrize("workers", [1, 3])
def test_as_many_threads_work_side_by_side_as_there_are_workers(
    tmp_path: Path, workers: int
) -> None:
    together = threading.Barrier(workers)
    lock, running, most = threading.Lock(), 0, 0

    def make(name: str) -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        together.wait(10)  # broken if fewer run
        with lock:
            running -= 1
        assert cv2.getNumThreads() == 1

    make_context(tmp_path, workers).make_items(NAMES, make, "item")
    assert most == workers


def test_an_error_stops_the_rest(tmp_path: Path) -> None:
    made: list[str] = []

    def make(name: str) -> None:
        made.append(name)
        if name == NAMES[1]:
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        make_context(tmp_path, workers=1).make_items(NAMES, make, "item")
    assert made == NAMES[:2]


def test_what_is_tracked_comes_through_in_order(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "LINE_EVERY_S", 0.0)
    caplog.set_level(logging.INFO, "mvrecon")
    context = make_context(tmp_path)
    assert list(context.track([3, 1, 2], "step")) == [3, 1, 2]
    assert list(context.track(iter("ab"), "step", total=2)) == ["a", "b"]
    counts = [message.split(",")[0] for message in caplog.messages]
    assert counts == [f"  toy: {done} steps" for done in ("1/3", "2/3", "3/3", "1/2", "2/2")]


def test_one_line_is_said_by_the_stage(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "mvrecon")
    make_context(tmp_path).say("hello")
    assert caplog.messages == ["  toy: hello"]


def test_an_isolated_call_keeps_its_output_beside_the_result(tmp_path: Path) -> None:
    context = make_context(tmp_path)
    assert context.isolated(divmod, 7, 2) == (3, 1)
    context.isolated(print, "words of the child")
    assert (tmp_path / "key.log").read_text() == "words of the child\n"
