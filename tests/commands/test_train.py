"""`train`: what the command line says reaches the training; each part's own file is named."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from mvrecon.cli import main
from stages.depth.training import command as depth
from stages.flow.training import command as flow
from stages.fusion.training import command as fusion
from stages.fusion.training.completion import command as completion
from stages.volume.training import command as slices

PARTS = [
    ("flow", flow, ["--size", "64", "96", "--batch", "3"], {"size_hw": (64, 96), "batch": 3}),
    ("depth", depth, ["--renderer", "torch"], {"renderer": "torch", "count": 300}),
    ("fusion", fusion, ["--clips", "c", "--adversary", "0.5"], {"adversary": 0.5}),
    ("completion", completion, ["--runs", "a", "b"], {"runs": (Path("a"), Path("b"))}),
    ("slices", slices, ["--steps", "9"], {"steps": 9}),
]


@pytest.mark.parametrize(("part", "module", "words", "wanted"), PARTS, ids=[p[0] for p in PARTS])
def test_options_reach_the_training(
    part: str,
    module: ModuleType,
    words: list[str],
    wanted: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    asked = []

    def train(options: Any, *_: Any) -> list[dict[str, float]]:
        asked.append(options)
        return [{"step": 1, "error": 0.123456}]

    monkeypatch.setattr(module, f"train_{part}", train)
    assert main(["train", part, "folder", "--minutes", "2.5", *words]) == 0
    (options,) = asked
    assert (options.folder, options.minutes, options.device) == (Path("folder"), 2.5, "cpu")
    assert {name: getattr(options, name) for name in wanted} == wanted
    assert capsys.readouterr().out.splitlines() == [
        "step 1  error 0.1235",
        str(Path("folder") / module.WEIGHTS),
    ]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["flow", "x", "--stepz", "3"], "unknown option --stepz, did you mean '--steps'"),
        (["flow", "x", "--size", "64", "100"], "--size '100' is not accepted"),
        (["flow", "x", "--steps", "0"], "greater than or equal to 1"),
        (["flow"], "required: DIR"),
        (["depth", "x", "--minutes", "soon"], "--minutes 'soon' is not accepted"),
        (["depth", "x", "--without", "moon"], "no kind of scene is called 'moon'"),
        (["fusion", "x"], "required: --clips"),
        (["completion", "x", "--device", "tpu"], "invalid choice: 'tpu'"),
    ],
)
def test_mistakes_are_told_in_one_line(
    words: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", *words]) == 2
    error = capsys.readouterr().err
    assert told in error and len(error.splitlines()) == 1
