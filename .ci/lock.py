"""Writes the hashes of all files that an installation may take: `make lock`.

python .ci/lock.py UV writes .ci/locked/run.txt, and test.txt and dev.txt with what these need
beyond. Versions are those of constraints.txt. torch is left out with what only it needs: each
platform's registry has builds of its own, for processors and for graphics cards, of one version.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

LOCKED = Path(__file__).parent / "locked"
EXTRAS = {"run": (), "test": ("test",), "dev": ("test", "dev")}
UNHASHED = re.compile(r"(torch|triton|setuptools|cuda-|nvidia-)")
# What the documents are made with asks for a little more than 3.11.
OLDEST = "3.11.5"
HEADER = "# Made by `make lock`; installed by setup.sh with --require-hashes.\n"


def compiled(uv: str, extras: tuple[str, ...]) -> dict[str, str]:
    """Requirements with hashes by name, markers included, for every platform."""
    command = [uv, "pip", "compile", "pyproject.toml", "--universal", "--python-version", OLDEST]
    command += ["--constraint", "constraints.txt", "--generate-hashes", "--no-header", "--quiet"]
    command += ["--no-annotate", *(f"--extra={extra}" for extra in extras)]
    text = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    entries = re.findall(r"^\S.*?(?:\\\n.*?)*[^\\]$", text, re.MULTILINE)
    found: dict[str, str] = {}
    for entry in entries:
        name = entry.partition("==")[0]
        if not UNHASHED.match(name):
            found[name] = found.get(name, "") + f"{entry}\n"
    return found


def main() -> None:
    """Write the three files."""
    parts = {part: compiled(sys.argv[1], extras) for part, extras in EXTRAS.items()}
    # Of all, as what a part needs on some platforms only, a later one may need everywhere.
    entries, written = parts["dev"], set[str]()
    for part, found in parts.items():
        names = sorted(set(found) - written)
        (LOCKED / f"{part}.txt").write_text(HEADER + "".join(entries[name] for name in names))
        written |= set(found)


if __name__ == "__main__":
    main()
