"""Measure what is missing or of an older state, write results.json, results.md, README and docs.

python -m benchmarks DATA [--only clips,flow/dis] [--runs DIR] [--raft FILE] [--minutes N]
python -m benchmarks --page      # only write the pages anew, with what is old marked
python -m benchmarks --list      # what there is, and what of it is measured
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
import traceback
from collections.abc import Sequence
from pathlib import Path

from benchmarks.page import write_pages
from benchmarks.piece import REPOSITORY, CannotRunError, Piece, Place
from benchmarks.results import Made, Results, state_name
from benchmarks.state import data_hash, machine_state, program_parts
from benchmarks.tables import TABLES
from mvrecon.engine.hashing import FileHashes
from mvrecon.engine.measure import Usage

INTERRUPTED = 130
PIECES = [piece for table in TABLES for piece in table.pieces]


def main() -> int:
    """Do what the command line says; 1 if a piece failed, 130 if interrupted."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("root", type=Path, nargs="?", help="folder of the public data sets")
    parser.add_argument("--only", default="", metavar="NAMES", help="tables or pieces, by comma")
    parser.add_argument("--runs", type=Path, default=REPOSITORY / "runs" / "benchmarks")
    parser.add_argument("--raft", type=Path, metavar="FILE", help="RAFT-small's public weights")
    parser.add_argument("--minutes", type=float, default=240.0, help="begin no piece after these")
    parser.add_argument("--again", action="store_true", help="measure even what is up to date")
    parser.add_argument("--page", action="store_true", help="only write the pages anew")
    parser.add_argument("--list", action="store_true", help="say what there is")
    options = parser.parse_args()
    results = Results.read()
    chosen = [piece for piece in PIECES if matches(piece.name, options.only)]
    if options.list:
        for piece in chosen:
            print(f"{piece.name:44} {_standing(piece, results)}")
        return 0
    if options.page:
        results.forget({piece.name for piece in PIECES})
        results.write()
        write_pages(results)
        return 0
    if options.root is None or not chosen:
        parser.error("name the folder of the data" if chosen else f"no piece is {options.only}")
    # Processes that are measured may be started in another folder.
    raft = options.raft.resolve() if options.raft else None
    place = Place(options.root.resolve(), options.runs.resolve(), raft)
    until = time.monotonic() + 60 * options.minutes
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        return measure_all(chosen, place, results, until=until, again=options.again)
    except KeyboardInterrupt:
        write_pages(results)
        print("interrupted; the same command goes on")
        return INTERRUPTED


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def matches(name: str, only: str) -> bool:
    """Whether a piece is chosen: by its whole name, or by what its name begins with."""
    wanted = [word.strip("/") for word in only.split(",") if word]
    return not wanted or any(name == word or name.startswith(f"{word}/") for word in wanted)


def measure_all(
    pieces: Sequence[Piece], place: Place, results: Results, *, until: float, again: bool
) -> int:
    """Measure pieces one by one; each is stored as soon as it is done."""
    place.runs.mkdir(parents=True, exist_ok=True)
    hashes = FileHashes(place.runs / "hashes.json")
    failed = 0
    for piece in pieces:
        try:
            data = data_hash(piece, place, hashes)
            hashes.save()
            known = results.pieces.get(piece.name)
            if known and not again and known.data == data and not known.outdated(piece):
                continue
            if time.monotonic() > until:
                print(f"{piece.name}: no time left; the same command goes on here")
                continue
            made = _measured(piece, place, data, results)
            print(f"{piece.name}: {made.cost['cpu_s']:.0f} CPU s, {made.cost['wall_s']:.0f} s")
        except CannotRunError as error:
            print(f"{piece.name}: left out: {error}")
        except Exception:
            failed += 1
            traceback.print_exc()
            print(f"{piece.name}: failed", flush=True)
        sys.stdout.flush()
    write_pages(results)
    return 1 if failed else 0


def _measured(piece: Piece, place: Place, data: str, results: Results) -> Made:
    print(f"{piece.name} …", flush=True)
    load = os.getloadavg()[0]
    with Usage() as usage:
        rows = [dict(row) for row in piece.measure(place)]
    state = machine_state()
    cost = {"cpu_s": usage.cpu_s, "wall_s": usage.wall_s, "load": load}
    made = Made(program_parts(piece), data, state_name(state), cost, rows)
    stored = Results.read()  # another call may have measured others meanwhile
    stored.add(piece, made, state)
    stored.write()
    results.states, results.pieces = stored.states, stored.pieces
    return made


def _standing(piece: Piece, results: Results) -> str:
    made = results.pieces.get(piece.name)
    if made is None:
        return "not run yet"
    words = made.outdated(piece)
    return f"{made.cost['cpu_s']:.0f} CPU s" + (f"; old: {'; '.join(words)}" if words else "")


if __name__ == "__main__":
    sys.exit(main())
