"""A run that mends itself, by command line: what is recorded, and what later commands go by."""

import json
from dataclasses import replace

import pytest

from mvrecon.cli import main
from mvrecon.commands.pipelines import PIPELINES, RUN
from mvrecon.run_dir import RECORD, RunRecord
from tests.stages.mending import pipeline
from tests.stages.mending.test_mend import BRIGHTER, DARK


@pytest.fixture
def mvrecon(tmp_path, monkeypatch, capsys):
    toy = replace(PIPELINES[RUN], stages=pipeline.PIPELINE)
    monkeypatch.setitem(PIPELINES, RUN, toy)
    source = tmp_path / "input.json"
    source.write_text(json.dumps([DARK, BRIGHTER]))

    def call(*words):
        pipeline.ran.clear()
        first = [words[0], source] if words[0] == "run" else [words[0]]
        place = ["-o", tmp_path / "run"] if words[0] == "run" else [tmp_path / "run"]
        code = main([str(word) for word in (*first, *place, *words[1:])])
        assert code == 0
        return capsys.readouterr().out

    return call


def states(printed):
    return {line.split()[1] for line in printed.splitlines()}


def test_what_was_kept_is_recorded_beside_what_was_asked_for(mvrecon, tmp_path):
    mvrecon("run")
    record = RunRecord.load(tmp_path / "run")
    assert record.options["frames"]["min_parallax"] == 0.025
    assert record.mendings[0].changes["frames"]["min_parallax"] == 0.01
    assert "closer key frames" in (tmp_path / "run" / "report.html").read_text()


def test_later_commands_go_by_what_was_kept(mvrecon):
    mvrecon("run")
    assert states(mvrecon("status")) == {"cached"}
    assert states(mvrecon("run", "--dry-run")) == {"cached"}
    mvrecon("clean")
    mvrecon("run")
    assert pipeline.ran == []
    assert "stale" in states(mvrecon("run", "--dry-run", "--flow.max_size", "256"))


def test_mending_can_be_switched_off(mvrecon, tmp_path):
    mvrecon("run")
    mvrecon("run", "--mend", "none")
    # The first result is still there.
    assert pipeline.ran == ["depth"]
    assert json.loads((tmp_path / "run" / RECORD).read_text())["mendings"] == []
    assert "closer key frames" not in (tmp_path / "run" / "report.html").read_text()
