"""A run directory remembers what it was made from and with."""

from __future__ import annotations

from pathlib import Path

import pytest

from mvrecon.errors import UsageError
from mvrecon.run_dir import RECORD, RunRecord


def test_a_record_comes_back_with_an_absolute_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    options = {"flow": {"model": "dis", "offsets": [1, 2]}}
    RunRecord(Path("clip.mp4"), options).save(tmp_path / "new" / "run")
    assert RunRecord.load(tmp_path / "new" / "run") == RunRecord(tmp_path / "clip.mp4", options)


@pytest.mark.parametrize("text", [None, "", "{", '{"input": "clip.mp4"}'])
def test_another_folder_is_refused_with_a_remedy(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / RECORD).write_text(text)
    with pytest.raises(UsageError, match=r"not a run directory.*mvrecon run INPUT -o"):
        RunRecord.load(tmp_path)


def test_a_place_that_cannot_be_written_is_an_error_of_usage(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="cannot write to"):
        RunRecord(Path("clip.mp4"), {}).save(tmp_path / "file" / "run")
