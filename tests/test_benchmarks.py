"""The scripts of the tables still fit the program, and the tables are told."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import numpy as np
import pytest

from benchmarks import confidence, depth_cost
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


def test_the_error_of_a_calibration() -> None:
    confidence_n = np.float32([0.95, 0.95, 0.95, 0.95, 0.35, 0.35])
    right_n = np.array([True, True, True, False, True, False])
    expected = (4 * abs(0.95 - 0.75) + 2 * abs(0.35 - 0.5)) / 6
    assert confidence.calibration_error(confidence_n, right_n) == pytest.approx(expected)


def test_the_area_under_a_curve_counts_pairs_in_order() -> None:
    confidence_n = np.float32([0.9, 0.6, 0.5, 0.1])
    right_n = np.array([True, False, True, False])
    assert confidence.area_under_curve(confidence_n, right_n) == pytest.approx(3 / 4)


def test_a_logistic_model_is_found_again() -> None:
    random = np.random.default_rng(0)
    terms_nk = np.column_stack([random.normal(size=(40_000, 2)), np.ones(40_000)])
    weights_k = np.array([1.5, -0.7, 0.3])
    right_n = random.random(40_000) < 1 / (1 + np.exp(-terms_nk @ weights_k))
    found_k = confidence.logistic_regression(terms_nk.astype(np.float32), right_n)
    np.testing.assert_allclose(found_k, weights_k, atol=0.06)
