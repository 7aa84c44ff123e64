"""What the program imports is what its package asks for: a test environment has more."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]
# Of other platforms than the one whose versions were tested.
ELSEWHERE = {"open3d"}
# Registries have builds of their own, whose hashes differ.
WITHOUT_HASHES = {"torch"}


def imported(folder: Path) -> set[str]:
    """Top-level names of the modules that a package's files import, wherever they do."""
    names: set[str] = set()
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                names.add(node.module)
    return {name.partition(".")[0] for name in names}


def normalized(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def pinned() -> dict[str, str]:
    lines = (REPOSITORY / "constraints.txt").read_text().splitlines()
    pins = dict(line.split("==") for line in lines if "==" in line)
    return {normalized(name): version for name, version in pins.items()}


def test_what_is_installed_by_hash_is_what_was_tested() -> None:
    locked = {}
    for path in sorted((REPOSITORY / ".ci/locked").glob("*.txt")):
        text = path.read_text()
        entries = re.findall(r"^([\w.-]+)==(\S+).*\\\n +--hash=sha256:", text, re.MULTILINE)
        assert len(entries) == len(re.findall(r"^[\w.-]+==", text, re.MULTILINE))
        locked |= {normalized(name): version for name, version in entries}
    pins = {name: version for name, version in pinned().items() if name not in WITHOUT_HASHES}
    assert {name: locked[name] for name in locked if name not in ELSEWHERE} == pins, "make lock"


def test_every_licence_is_listed() -> None:
    page = (REPOSITORY / "docs/licences.md").read_text()
    rows = re.findall(r"^\| ([\w.-]+) \| (\d\S*) \| (\S[^|]*) \| \w+ \|$", page, re.MULTILINE)
    assert {normalized(name): version for name, version, _ in rows} == pinned(), "make licences"


def test_every_import_is_asked_for() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    offered_to_users = [extras[name] for name in extras if name not in ("test", "dev")]
    asked = [*project["dependencies"], *(line for lines in offered_to_users for line in lines)]
    distributions = {re.split(r"[>=; \[]", line)[0].lower() for line in asked}
    used = imported(REPOSITORY / "mvrecon") | imported(REPOSITORY / "stages")
    foreign = used - {*sys.stdlib_module_names, "mvrecon", "stages"}
    offered = packages_distributions()
    # The wheel of OpenEXR lists a library, not the module.
    offered.setdefault("OpenEXR", ["OpenEXR"])
    missing = {
        name
        for name in foreign
        if not distributions & {found.lower().replace("_", "-") for found in offered.get(name, [])}
    }
    assert "torch" in foreign
    assert not missing
