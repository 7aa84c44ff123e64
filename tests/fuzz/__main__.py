"""`make fuzz`: every kind of bad input and thousands of mutants; `--table` documents the kinds."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from tests.conftest import REPOSITORY
from tests.fuzz.cases import BUDGET_BYTES, KINDS, Tally, fault_of_kind, look_at_mutants
from tests.fuzz.kinds import Kind
from tests.fuzz.watch import Outcome, Watched

PAGE = REPOSITORY / "docs" / "reliability.md"
BEGIN, END = "<!-- kinds: made by `python -m tests.fuzz --table` -->\n", "<!-- end of kinds -->\n"
KEPT = REPOSITORY / "runs" / "fuzz"


def main() -> int:
    """Returns 1 if anything went wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--count", type=int, default=2500, help="mutants")
    parser.add_argument("--start", type=int, default=0, help="number of the first mutant")
    parser.add_argument("--table", action="store_true", help=f"write the table into {PAGE.name}")
    options = parser.parse_args()
    began = time.monotonic()
    faults, rows = look_at_kinds()
    if options.table:
        text = PAGE.read_text()
        head, tail = text.split(BEGIN)[0], text.split(END)[1]
        PAGE.write_text(head + BEGIN + "".join(rows) + END + tail)
    with tempfile.TemporaryDirectory() as folder:
        tally = look_at_mutants(Path(folder), options.count, options.start, KEPT)
    _tell(len(rows) - 2, tally, time.monotonic() - began)
    for line in [*faults, *tally.faults]:
        print(line)
    return int(bool(faults or tally.faults))


def look_at_kinds() -> tuple[list[str], list[str]]:
    """What is wrong, and the rows of a table of the kinds."""
    faults = []
    rows = ["| input | exit code | what the user sees |\n", "|---|---|---|\n"]
    with Watched() as child:
        for kind in KINDS:
            with tempfile.TemporaryDirectory() as folder:
                outcome = child.look(kind.make(Path(folder)))
                if found := fault_of_kind(kind, outcome):
                    faults.append(f"{kind.name}: {found}")
                rows.append(_row(kind, outcome, folder))
    return faults, rows


def _row(kind: Kind, outcome: Outcome, folder: str) -> str:
    said = outcome.text.replace(f"{folder}/", "").replace("|", "\\|").replace("<", "&lt;")
    if "n" * 100 in said:
        said = said.replace("n" * 300, "nnn…")
    if outcome.code == 0:
        said = f"read, with a warning: {said}" if said else "read"
    return f"| {kind.name.replace('<', '&lt;')} | {outcome.code} | {said} |\n"


def _tell(kinds: int, tally: Tally, seconds: float) -> None:
    count = sum(tally.codes.values())
    codes = ", ".join(f"{number} ended with {code}" for code, number in sorted(tally.codes.items()))
    print(
        f"{kinds} kinds and {count} mutants ({codes}) in {seconds:.0f} s; at most "
        f"{tally.largest_bytes >> 20} MiB taken by one, of {BUDGET_BYTES >> 20}"
    )


if __name__ == "__main__":
    sys.exit(main())
