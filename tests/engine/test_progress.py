"""What a person sees of the work that goes on."""

from __future__ import annotations

import io
import logging
import sys

import pytest

from mvrecon.engine import progress
from mvrecon.engine.progress import Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, to be set."""
    now_s = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now_s[0])
    return now_s


def test_lines_come_at_intervals_with_rate_and_time_left(
    clock: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "mvrecon")
    with Progress("flow", 10, "pair", done=2) as shown:
        for _ in range(3):
            clock[0] += 4.0
            shown.advance()
    assert caplog.messages == ["  flow: 5/10 pairs, 0.25 pairs/s, 20 s left"]


def test_an_unknown_total_has_no_end(clock: list[float], caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "mvrecon")
    with Progress("frames", None, "frame") as shown:
        clock[0] += 10.0
        shown.advance(20)
    assert caplog.messages == ["  frames: 20 frames, 2.00 frames/s"]


@pytest.mark.parametrize(("level", "shown"), [(logging.INFO, True), (logging.WARNING, False)])
def test_a_terminal_shows_a_bar_unless_it_is_to_be_quiet(
    level: int, shown: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    caplog.set_level(level, "mvrecon")
    with Progress("flow", 2, "pair") as bar:
        bar.advance()
    assert ("flow" in terminal.getvalue()) is shown
    assert caplog.messages == []


def test_other_programs_see_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress, "LINE_EVERY_S", 0.0)
    with Progress("flow", 2, "pair") as bar:
        bar.advance()
    assert capsys.readouterr() == ("", "")
