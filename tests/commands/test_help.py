"""Every command tells what it takes, at once: nothing heavy is imported for it."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator

import pytest

from mvrecon import __version__
from mvrecon.cli import main, make_parser

HEAVY = ("torch", "cv2", "open3d", "pycolmap", "scipy")
HELP_OF_ALL = """
import contextlib, io, json, sys
from mvrecon.cli import main
told = {}
for words in json.load(sys.stdin):
    with contextlib.redirect_stdout(io.StringIO()) as out:
        try:
            main([*words, "--help"])
        except SystemExit as end:
            assert not end.code, words
    told[" ".join(words)] = out.getvalue()
print(json.dumps([told, sorted(sys.modules)]))
"""


def commands(parser: argparse.ArgumentParser, words: tuple[str, ...] = ()) -> Iterator[tuple]:
    yield words
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, inner in action.choices.items():
                yield from commands(inner, (*words, name))


def test_help_of_every_command_is_instant() -> None:
    everything = list(commands(make_parser()))
    assert {("run",), ("models", "get"), ("bench", "all"), ("train", "flow")} <= set(everything)
    child = subprocess.run(
        [sys.executable, "-c", HELP_OF_ALL],
        input=json.dumps(everything),
        capture_output=True,
        text=True,
        check=True,
    )
    told, modules = json.loads(child.stdout)
    assert len(told) == len(everything)
    for words, text in told.items():
        assert text.startswith(f"usage: {f'mvrecon {words}'.strip()}"), words
    assert not set(HEAVY) & set(modules)


@pytest.mark.parametrize("words", [["train", "flow", "x"], ["doctor"], ["eval", "x"]])
def test_an_unknown_option_is_refused_by_every_command(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    needed = ["--dataset", "y"] if words[0] == "eval" else []
    assert main([*words, *needed, "--helf"]) == 2
    error = capsys.readouterr().err
    assert "unknown option --helf, did you mean '--help'" in error
    assert f"See mvrecon {' '.join(words).removesuffix(' x')} --help" in error


def test_version_and_no_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--version"])
    assert capsys.readouterr().out.strip() == __version__
    assert main([]) == 2
    assert "COMMAND" in capsys.readouterr().err


def test_the_program_says_what_it_does_and_groups_its_commands(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    text = capsys.readouterr().out
    assert "3D model" in text
    sections = text.split("\n\n")
    of_run = next(section for section in sections if section.startswith("reconstruct:"))
    assert {"run", "stage", "status"} <= {line.split()[0] for line in of_run.splitlines()[1:]}
    named = [name for words in commands(make_parser()) if len(words) == 1 for name in words]
    for name in named:
        assert text.count(f"\n  {name} ") == 1, name
