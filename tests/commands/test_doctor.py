"""`doctor`: one line a check, and the exit code."""

from __future__ import annotations

import pytest

from mvrecon import doctor
from mvrecon.cli import main


@pytest.mark.parametrize(("good", "code"), [(True, 0), (False, 1)])
def test_each_check_is_a_line(
    good: bool, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    checks = [doctor.Check(True, "this is there"), doctor.Check(good, "that")]
    monkeypatch.setattr(doctor, "examine", lambda folder: iter(checks))
    assert main(["doctor"]) == code
    assert capsys.readouterr().out.splitlines() == [
        "ok      this is there",
        f"{'ok     ' if good else 'PROBLEM'} that",
    ]
