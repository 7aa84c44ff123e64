"""Writes docs/licences.md, the licences of all that constraints.txt names: `make licences`."""

from __future__ import annotations

import re
from importlib.metadata import Distribution, distribution
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "licences.md"
HEAD = """# Licences of dependencies

Made by `make licences`: what each package says of itself, for the versions of `constraints.txt`.
*Run* is what `pip install mvrecon` brings; the others come with extras, for tests and for upkeep.
Licences of data sets and weights are told by [models.md](models.md).

| package | version | licence | for |
|---|---|---|---|
"""
# Some packages give the whole text.
LONGEST = 60
UNKNOWN = "UNKNOWN"
CLASSIFIER = "License :: OSI Approved :: "
# What says nothing of itself, from its repository.
TOLD_ELSEWHERE = {"OpenEXR": "BSD-3-Clause"}


def pins() -> dict[str, str]:
    """Versions by package."""
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    return dict(line.split("==") for line in lines if "==" in line)


def licence(package: Distribution) -> str:
    """The licence that a package's metadata tell, shortest form first; "" if none is told."""
    metadata = package.metadata
    if expression := metadata.get("License-Expression"):
        return str(expression)
    stated = metadata.get("License") or UNKNOWN
    if stated != UNKNOWN and "\n" not in stated and len(stated) <= LONGEST:
        return str(stated)
    lines = metadata.get_all("Classifier") or []
    return ", ".join(line.removeprefix(CLASSIFIER) for line in lines if line.startswith(CLASSIFIER))


def parts() -> dict[str, str]:
    """What each package is for, by its normalized name."""
    found = {"torch": "run"}
    for part in ("run", "test", "dev"):
        text = (ROOT / ".ci" / "locked" / f"{part}.txt").read_text()
        names = re.findall(r"^([\w.-]+)==", text, re.MULTILINE)
        found |= dict.fromkeys(map(normalized, names), part)
    return found


def normalized(name: str) -> str:
    """As registries compare names."""
    return re.sub(r"[-_.]+", "-", name).lower()


def main() -> None:
    """Write the page; fail if a package tells no licence."""
    part_of = parts()
    rows, silent = [], []
    for name, version in pins().items():
        told = licence(distribution(name)) or TOLD_ELSEWHERE.get(name, "")
        rows.append(f"| {name} | {version} | {told} | {part_of[normalized(name)]} |")
        silent += [] if told else [name]
    PAGE.write_text(HEAD + "\n".join(rows) + "\n")
    if silent:
        raise SystemExit(f"no licence is told by {', '.join(silent)}: look into TOLD_ELSEWHERE")


if __name__ == "__main__":
    main()
