"""`results.json`: the rows of each piece, and of what state of program and machine they are."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.piece import Piece, Row
from benchmarks.state import SHORT, differences, program_parts
from mvrecon import atomic
from mvrecon.engine.hashing import canonical_json, hash_text

FILE = Path(__file__).with_suffix(".json")
DIGITS = 6


@dataclass(frozen=True)
class Made:
    """What was measured of a piece.

    Attributes:
        program: `program_parts` of then.
        data: hash of the data.
        state: name of the machine's state among the results' states.
        cost: cpu_s and wall_s of the measuring, and the machine's load before it.
        rows: the figures.
    """

    program: Mapping[str, Any]
    data: str
    state: str
    cost: Mapping[str, float]
    rows: Sequence[Row]

    def outdated(self, piece: Piece) -> list[str]:
        """What of the program changed since; empty if the figures are those of today."""
        return differences(self.program, program_parts(piece))


@dataclass
class Results:
    """All that was measured.

    Attributes:
        states: name → commit, processor, libraries.
        pieces: name → what was measured.
    """

    states: dict[str, dict[str, Any]] = field(default_factory=dict)
    pieces: dict[str, Made] = field(default_factory=dict)

    @staticmethod
    def read(path: Path = FILE) -> Results:
        """What is stored; nothing if the file is not there."""
        if not path.is_file():
            return Results()
        stored = json.loads(path.read_text(encoding="utf-8"))
        return Results(
            stored["states"], {name: Made(**one) for name, one in stored["pieces"].items()}
        )

    def add(self, piece: Piece, made: Made, state: dict[str, Any]) -> None:
        """Take the figures of a piece, in place of older ones."""
        self.states[made.state] = state
        self.pieces[piece.name] = made
        self.forget(self.pieces.keys())

    def forget(self, names: Collection[str]) -> None:
        """Leave out all pieces but these, and the states that no piece is of any more."""
        self.pieces = {name: one for name, one in self.pieces.items() if name in names}
        used = {one.state for one in self.pieces.values()}
        self.states = {name: one for name, one in self.states.items() if name in used}

    def write(self, path: Path = FILE) -> None:
        """Store, pieces by name."""
        pieces = {name: vars(one) for name, one in sorted(self.pieces.items())}
        stored = {"states": dict(sorted(self.states.items())), "pieces": _rounded(pieces)}
        atomic.write_text(path, json.dumps(stored, indent=1, ensure_ascii=False) + "\n")


def state_name(state: Mapping[str, Any]) -> str:
    """The same for equal states."""
    return hash_text(canonical_json(dict(state)))[:SHORT]


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}")
    if isinstance(value, Mapping):
        return {name: _rounded(one) for name, one in value.items()}
    return [_rounded(one) for one in value] if isinstance(value, list | tuple) else value
