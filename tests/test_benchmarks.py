"""The scripts of the tables still fit the program, and the tables are told."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

from benchmarks import depth_cost
from benchmarks.common import markdown
from tests.conftest import REPOSITORY

FOLDERS = (REPOSITORY / "benchmarks", REPOSITORY / "benchmarks" / "experiments")
MODULES = sorted(
    ".".join(path.relative_to(REPOSITORY).with_suffix("").parts)
    for folder in FOLDERS
    for path in folder.glob("*.py")
)


@pytest.mark.parametrize("name", MODULES)
def test_it_can_be_imported(name: str) -> None:
    assert importlib.import_module(name).__doc__


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_every_table_is_in_the_readme_and_every_link_is_a_table(folder: Path) -> None:
    text = (folder / "README.md").read_text(encoding="utf-8")
    linked = set(re.findall(r"^\| \[\w+\.md\]\((\w+\.md)\)", text, re.MULTILINE))
    assert linked == {path.name for path in folder.glob("*.md")} - {"README.md"}


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_every_command_in_the_readme_is_there(folder: Path) -> None:
    text = (folder / "README.md").read_text(encoding="utf-8")
    assert set(re.findall(r"python -m (benchmarks[\w.]+)", text)) <= set(MODULES)


def test_the_parts_that_cost_time_are_functions_of_the_depth_stage() -> None:
    """They are found by name in a profile: a name that is gone would count as no time at all."""
    sources = [path.read_text() for path in (REPOSITORY / "stages/depth").rglob("*.py")]
    for parts in depth_cost.PARTS.values():
        for part, function, caller in parts:
            for name in {function.rpartition(":")[2], caller} - {""}:
                assert any(f"def {name}(" in source for source in sources), (part, name)


def test_a_table_in_markdown() -> None:
    assert markdown(["a", "b"], [["1", "2"]]) == "| a | b |\n|---|---|\n| 1 | 2 |\n"
