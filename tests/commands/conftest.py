"""The toy pipeline in the place of the real one, and a run of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from mvrecon.cli import main
from mvrecon.commands.pipelines import PIPELINES, RUN, Pipeline
from tests.engine.toy import TOY


@dataclass
class Toy:
    """A run of the toy pipeline on a text, by command line."""

    folder: Path
    capsys: pytest.CaptureFixture[str]

    @property
    def text(self) -> Path:
        return self.folder / "input.txt"

    @property
    def run_dir(self) -> Path:
        return self.folder / "run"

    def __call__(self, *words: object) -> tuple[int, str, str]:
        """Exit code, what was printed, and what was told of errors and progress."""
        code = main([str(word) for word in words])
        return code, *self.capsys.readouterr()

    def run(self, *options: object) -> tuple[int, str, str]:
        preset = self.folder / "empty.toml"
        preset.touch()
        return self("run", self.text, "-o", self.run_dir, "--preset", preset, *options)


@pytest.fixture
def toy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    monkeypatch.setitem(PIPELINES, RUN, Pipeline(RUN, tuple(TOY), ()))
    toy = Toy(tmp_path, capsys)
    toy.text.write_text("a\nb")
    return toy
