"""`models` and `export-model`."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from mvrecon.cli import main
from mvrecon.commands import models
from mvrecon.downloads import CACHE_VARIABLE
from stages.flow import config
from stages.flow.models import export


@pytest.fixture(autouse=True)
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))


def test_every_model_is_told_with_its_weights(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    names = ["dis", "mvflow", "raft-small"]
    assert set(names) <= set(config.model_names())
    # For the sake of time.
    monkeypatch.setattr(config, "model_names", lambda: names)
    monkeypatch.setattr(models, "COST_SIZE", (128, 160))
    assert main(["models"]) == 0
    lines = capsys.readouterr().out.splitlines()
    rows = {line.split()[0]: line for line in lines[1:] if line[:1].isalpha()}
    assert "GFLOP 160×128" in lines[0]
    assert set(names) <= rows.keys()
    assert "none needed" in rows["dis"]
    assert "shipped" in rows["mvflow"]
    assert "not here" in rows["raft-small"]


def test_what_cannot_be_fetched_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "get", "dis"]) == 2
    assert "nothing to fetch for flow model dis" in capsys.readouterr().err
    assert main(["models", "get", "mvfow"]) == 2
    assert "mvflow" in capsys.readouterr().err


def test_what_is_fetched_is_told_with_its_hash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "weights.pth"
    file.write_bytes(b"weights")
    monkeypatch.setattr("mvrecon.downloads.fetch", lambda checkpoint: file)
    assert main(["models", "get", "raft-small"]) == 0
    path, told = capsys.readouterr().out.splitlines()
    assert path == str(file)
    assert f"sha256 {hashlib.sha256(b'weights').hexdigest()}" in told


def test_export_says_what_it_wrote(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = []

    class Graph:
        input_names = ("first", "second")

    def write(config: object, height: int, width: int, path: Path) -> Graph:
        asked.append((config.model, height, width, path))
        return Graph()

    monkeypatch.setattr(export, "export_flow_onnx", write)
    monkeypatch.chdir(tmp_path)
    assert main(["export-model", "flow", "--size", "320x256"]) == 0
    assert asked == [("mvflow", 256, 320, Path("mvflow.onnx"))]
    assert capsys.readouterr().out == "mvflow.onnx: first, second → flow, 320×256\n"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--size", "640"], "no image size"),
        (["--size", "0x48"], "no image size"),
        (["--model", "mvfow"], "mvflow"),
        (["--weights", "nowhere.pt"], "no file"),
        (["--format", "tflite"], "invalid choice"),
    ],
)
def test_a_wrong_export_is_told(
    words: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export-model", "flow", *words]) == 2
    error = capsys.readouterr().err
    assert told in error and len(error.splitlines()) == 1
