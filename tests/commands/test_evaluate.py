"""`eval`: the table, the file, and mistakes in one line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mvrecon.cli import main
from tests.evaluation.run.fake_run import Truth, write_run


@pytest.fixture(scope="module")
def truth(tmp_path_factory: pytest.TempPathFactory) -> Truth:
    return Truth(tmp_path_factory.mktemp("truth")).write()


@pytest.fixture(scope="module")
def run_dir(truth: Truth, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("run") / "run", truth, depth_factor=1.1)


def test_it_prints_the_table_and_writes_the_figures(
    truth: Truth, run_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "figures.json"
    words = ["eval", str(run_dir), "--dataset", str(truth.with_mesh), "--json", str(file)]
    assert main([*words, "--threshold", "0.02"]) == 0
    printed = capsys.readouterr().out
    assert "frames: 8 key frames, 8 posed, 8 compared" in printed
    assert "abs_rel                  ↓ 0.1" in printed
    figures = json.loads(file.read_text())
    assert figures["depth"]["trajectory_scale"]["abs_rel"] == pytest.approx(0.1, rel=1e-3)
    assert figures["surface"]["errors"]["threshold"] == 0.02


def test_mistakes_are_told_in_one_line(
    truth: Truth, run_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dataset = ["--dataset", str(truth.with_mesh)]
    for words, code, told in (
        ([str(run_dir), *dataset, "--threshold", "-1"], 2, "--threshold -1.0 is not a distance"),
        ([str(run_dir), *dataset, "--threshold", "x"], 2, "invalid float value: 'x'"),
        ([str(run_dir)], 2, "required: --dataset"),
        ([str(tmp_path), *dataset], 3, "has no frames.csv"),
        ([str(run_dir), "--dataset", str(tmp_path)], 3, "cameras.json is missing"),
    ):
        assert main(["eval", *words]) == code
        error = capsys.readouterr().err
        assert told in error and len(error.splitlines()) == 1
