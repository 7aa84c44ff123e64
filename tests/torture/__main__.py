"""python -m tests.torture FOLDER [--kills N] [--stops N] [--seed S].

Appends a line of JSON for each strike to FOLDER/strikes.jsonl, prints a table of them, and fails
if anything was lost. What an earlier call noted counts; delete the folder to begin anew. The
pipeline of `tests/engine/torture.py` is killed at every touch of a file; this one by the clock.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

from tests.torture.disk import out_of_disk
from tests.torture.small_run import PLACES, SmallRun
from tests.torture.strikes import Book, lap

# In each place in a run's life.
STRIKES_EACH = 2
# What users are promised, from the signal to the end of the process.
STOP_S = 2.0


def in_namespace(folder: Path) -> None:
    """`out_of_disk` in a namespace of its own, where that is allowed."""
    probe = ["unshare", "-rm", "mount", "-t", "tmpfs", "tmpfs", str(folder)]
    if subprocess.run(probe, capture_output=True, check=False).returncode != 0:
        print("out of disk: not tried, as no mount namespace may be made here", flush=True)
        return
    arguments = [sys.executable, "-m", "tests.torture", str(folder), "--out-of-disk"]
    subprocess.run(["unshare", "-rm", *arguments], check=True)


def table(book: Book) -> str:
    """How often each fault was tried where, and what came of it, in Markdown."""
    keys = ("ended [s]", "children ended [s]", "back at work [s]")
    lines = ["| fault | in | times | ended after | children | at work again after | wrong |"]
    lines.append("|---|---|---|---|---|---|---|")
    for fault in dict.fromkeys(line["fault"] for line in book.lines if "place" in line):
        for place in PLACES:
            here = [line for line in book.of(fault) if line["place"] == place]
            if here:
                most = [
                    max((line[key] for line in here if key in line), default=None) for key in keys
                ]
                told = " | ".join("–" if value is None else f"{value:.2f} s" for value in most)
                wrong = sum(is_wrong(line) for line in here)
                lines.append(f"| {fault} | {place} | {len(here)} | {told} | {wrong} |")
        laps = book.of(f"{fault} lap")
        wrong = sum(is_wrong(line) for line in laps)
        lines.append(f"| {fault} | runs compared at their end | {len(laps)} | | | | {wrong} |")
    return "\n".join(lines)


def is_wrong(line: dict[str, object]) -> bool:
    """Whether something was lost, made twice, left over, or ended as it should not."""
    late = line["fault"] in ("SIGINT", "SIGTERM") and float(str(line["ended [s]"])) > STOP_S
    keys = ("wrong end", "other results", "made twice", "left over")
    return late or any(line.get(key) for key in keys)


def main() -> None:
    """Strike as often as asked, print what came of it, fail if anything was lost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--stops", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out-of-disk", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    folder: Path = options.folder
    folder.mkdir(parents=True, exist_ok=True)
    # A shell that starts this in the background lets it ignore interrupts, and its children too.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    book, whole = Book(folder / "strikes.jsonl"), folder / "whole"
    if options.out_of_disk:
        out_of_disk(folder / "disk", whole, book)
        return
    SmallRun(whole).end()
    for number, times in (
        (signal.SIGKILL, options.kills),
        (signal.SIGINT, options.stops),
        (signal.SIGTERM, options.stops),
    ):
        while len(book.of(number.name)) < times or not book.of(f"{number.name} lap"):
            rng = random.Random(options.seed + len(book.lines))
            lap(folder / "run", number, STRIKES_EACH, whole, rng, book)
    if not book.of("full disk lap"):
        in_namespace(folder)
        book = Book(folder / "strikes.jsonl")
    print(table(book))
    if any(is_wrong(line) for line in book.lines):
        sys.exit("something was lost")


if __name__ == "__main__":
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    main()
