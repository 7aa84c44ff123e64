"""What is measured at a go, what decides its figures, and the table that they stand in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parents[1]
# Stands for the weights that are not shipped; `--raft FILE` gives them.
RAFT = "raft-small.pth"
# The sample clip is bundled; its "data" begin with this.
BUNDLED = "sample_data"

# Column → figure; what does not apply is left out.
Row = Mapping[str, Any]


class CannotRunError(Exception):
    """A piece cannot be measured here: what is missing, in a sentence."""


@dataclass(frozen=True)
class Place:
    """Where pieces are measured.

    Attributes:
        root: folder of the public data sets.
        runs: where run folders and rendered clips are kept between calls.
        raft: RAFT-small's public weights, if they are there.
    """

    root: Path
    runs: Path
    raft: Path | None = None

    def data(self, name: str) -> Path:
        """A file or folder of the data, of the bundled sample, or the weights."""
        if name == RAFT:
            if self.raft is None:
                raise CannotRunError("RAFT-small's public weights: give --raft FILE")
            return self.raft
        base = REPOSITORY if name.split("/", maxsplit=1)[0] == BUNDLED else self.root
        path = base / name
        if not path.exists():
            raise CannotRunError(f"{path} is missing")
        return path


@dataclass(frozen=True)
class Piece:
    """The rows of a table that are measured, and stored, at a go.

    Attributes:
        name: unique; begins with the table's.
        measure: gives the rows.
        stages: whose versions decide the figures.
        weights: shipped files that do, below `stages/`.
        data: files and folders that do, below the data's root (or RAFT, or bundled).
        settings: what else does.
        version: bumped when the same inputs would be measured otherwise.
    """

    name: str
    measure: Callable[[Place], Sequence[Row]]
    stages: tuple[str, ...] = ()
    weights: tuple[str, ...] = ()
    data: tuple[str, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    version: int = 1


@dataclass(frozen=True)
class Column:
    """One column: the key in the rows, its heading, and how a number is printed."""

    key: str
    heading: str
    form: str = ""

    def text(self, row: Row) -> str:
        """The cell."""
        value = row.get(self.key)
        if value is None:
            return "–"
        return str(value) if isinstance(value, str) else format(value, self.form)


@dataclass(frozen=True)
class Table:
    """One table of the page.

    Attributes:
        name: as `--only` takes it, and the anchor in the page.
        title: of the section.
        text: what was done and what the columns mean, Markdown.
        columns: in their order.
        pieces: whose rows it holds, in their order.
    """

    name: str
    title: str
    text: str
    columns: tuple[Column, ...]
    pieces: tuple[Piece, ...]


def markdown(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = ["| " + " | ".join(row) + " |" for row in [headings, *rows]]
    lines.insert(1, "|" + "---|" * len(headings))
    return "\n".join(lines) + "\n"
