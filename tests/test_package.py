"""The wheel holds what the program needs, and nothing that it doesn't."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY


@pytest.fixture(scope="module")
def wheel_names(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir"]
    subprocess.run([*command, str(folder), str(REPOSITORY)], check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_every_module_and_preset_is_in_the_wheel(wheel_names: set[str]) -> None:
    modules = {
        path.relative_to(REPOSITORY).as_posix()
        for package in ("mvrecon", "stages")
        for path in (REPOSITORY / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    templates = {name for name in modules if name.endswith((".html.j2", ".css", ".js"))}
    assert templates >= {
        f"mvrecon/report/templates/{name}"
        for name in ("document.html.j2", "report.html.j2", "sections/depth.html.j2")
    }
    assert "mvrecon/report/templates/viewer.js" in templates
    presets = {f"mvrecon/configs/{path.name}" for path in (REPOSITORY / "configs").glob("*.toml")}
    assert modules <= wheel_names
    assert presets
    assert presets <= wheel_names


def test_nothing_else_is_in_the_wheel(wheel_names: set[str]) -> None:
    tops = {name.split("/")[0] for name in wheel_names}
    assert {name for name in tops if not name.endswith(".dist-info")} == {"mvrecon", "stages"}


def test_the_installed_tree_finds_its_files(wheel_names: set[str], tmp_path: Path) -> None:
    """Unpacked away from the source tree, presets and templates are still found."""
    command = [
        sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation",
        "--target", str(tmp_path / "site"), str(REPOSITORY),
    ]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True)
    code = """
from mvrecon import config
from mvrecon.report.templates import environment
print(config.presets_dir(), config.preset_names())
print(environment().get_template("report.html.j2").filename)
"""
    output = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path / "site")},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert str(tmp_path / "site" / "mvrecon" / "configs") in output
    assert "default" in output
    assert str(tmp_path / "site" / "mvrecon" / "report" / "templates") in output
