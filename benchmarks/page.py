"""results.md, and the tables in README and docs: all of results.json, nothing by hand."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from benchmarks.piece import REPOSITORY, Row, Table, markdown
from benchmarks.results import Made, Results
from benchmarks.tables import BLOCKS, TABLES

PAGE = Path(__file__).with_name("results.md")
OLD = "†"
COMMAND = "`python -m benchmarks DATA`"
BEGIN, END = "<!-- benchmarks: {} -->", "<!-- end of benchmarks -->"
BLOCK = re.compile(r"<!-- benchmarks: ([\w-]+) -->\n.*?<!-- end of benchmarks -->", re.DOTALL)
HEADER = f"""# Results

Made by {COMMAND} from what is measured (`results.json`); nothing is entered by hand, and a test
holds the page against the program. CPU seconds are of all threads and child processes. Under each
table stands what it was made of: the program's commit (`+`: with changes since), the versions of
the stages, the hashes of the weights, the machine. Rows marked {OLD} are of an older state, which
stands above their table.
How each figure is defined: [docs/evaluation.md](../docs/evaluation.md).

"""


def write_pages(results: Results) -> None:
    """Write results.md and the tables in README and docs."""
    for path, text in pages(results).items():
        path.write_text(text, encoding="utf-8")


def pages(results: Results) -> dict[Path, str]:
    """Each page with tables → its text as it should be."""
    return {PAGE: page(results)} | {
        path: with_blocks(path.read_text(encoding="utf-8"), results)
        for path in (REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").glob("*.md")))
        if BLOCK.search(path.read_text(encoding="utf-8"))
    }


def page(results: Results) -> str:
    """The page of all tables."""
    parts = [HEADER, _contents(results)]
    for table in TABLES:
        parts.append(f'## {table.title}\n\n<a id="{table.name}"></a>\n{table.text.strip()}\n\n')
        parts.append(section(table, results))
    return "\n".join("".join(parts).rstrip().split("\n")) + "\n"


def section(table: Table, results: Results) -> str:
    """A table with what is old, what is not run, and what it was made of."""
    made = {p.name: results.pieces[p.name] for p in table.pieces if p.name in results.pieces}
    missing = [piece.name for piece in table.pieces if piece.name not in made]
    lines = list(_outdated(table, results))
    if made:
        rows = list(_rows(table, made))
        lines.append(markdown([column.heading for column in table.columns], rows))
        lines += _made_of(table, results)
    if missing:
        names = ", ".join(f"`{name}`" for name in missing) if made else f"all {len(missing)} pieces"
        lines.append(f"**Not run yet**: {names} ({COMMAND[:-1]} --only {table.name}`).\n")
    return "\n".join(lines) + "\n"


def with_blocks(text: str, results: Results) -> str:
    """A document with its tables made anew."""

    def block(found: re.Match[str]) -> str:
        make: Callable[[Mapping[str, Sequence[Row]], Mapping[str, bool]], str] = BLOCKS[found[1]]
        rows = {name: made.rows for name, made in results.pieces.items()}
        return f"{BEGIN.format(found[1])}\n{make(rows, _old_pieces(results))}{END}"

    return BLOCK.sub(block, text)


def _old_pieces(results: Results) -> dict[str, bool]:
    pieces = [piece for table in TABLES for piece in table.pieces]
    return {
        piece.name: bool(results.pieces[piece.name].outdated(piece))
        for piece in pieces
        if piece.name in results.pieces
    }


def _contents(results: Results) -> str:
    old = _old_pieces(results)
    rows = []
    for table in TABLES:
        names = [piece.name for piece in table.pieces]
        there = [name for name in names if name in results.pieces]
        aged = sum(old[name] for name in there)
        state = f"{len(there)} of {len(names)}" + (f", {aged} of an older state" if aged else "")
        cpu_s = sum(results.pieces[name].cost["cpu_s"] for name in there)
        link = f"[{table.title}](#{table.name})"
        rows.append([link, f"`{table.name}`", state, f"{cpu_s:,.0f}"])
    return markdown(["table", "`--only`", "measured", "CPU s to measure"], rows) + "\n"


def _outdated(table: Table, results: Results) -> Iterator[str]:
    """One line for each set of changes: of what older state which rows are."""
    changes: dict[str, list[str]] = {}
    for piece in table.pieces:
        if piece.name in results.pieces:
            words = results.pieces[piece.name].outdated(piece)
            if words:
                changes.setdefault("; ".join(words), []).append(piece.name)
    for words, names in changes.items():
        yield f"**{OLD} Of an older state** ({words}): {', '.join(names)}.\n"


def _rows(table: Table, made: Mapping[str, Made]) -> Iterator[list[str]]:
    for piece in table.pieces:
        if piece.name not in made:
            continue
        mark = f" {OLD}" if made[piece.name].outdated(piece) else ""
        for row in made[piece.name].rows:
            first, *others = (column.text(row) for column in table.columns)
            yield [first + mark, *others]


def _made_of(table: Table, results: Results) -> Iterator[str]:
    """One paragraph for each state of the machine and the commit that rows of the table are of."""
    groups: dict[str, dict[str, Made]] = {}
    for piece in table.pieces:
        if piece.name in results.pieces:
            made = results.pieces[piece.name]
            groups.setdefault(made.state, {})[piece.name] = made
    for name, pieces in groups.items():
        state, costs = results.states[name], [made.cost for made in pieces.values()]
        cpu_s = sum(cost["cpu_s"] for cost in costs)
        load = sum(cost["load"] for cost in costs) / len(costs)
        libraries = ", ".join(f"{n} {v}" for n, v in state["libraries"].items())
        of = "" if len(groups) == 1 else f" ({', '.join(pieces)})"
        yield (
            f"*Made of commit {state['commit']}{of}: {_program_words(list(pieces.values()))}. "
            f"{state['cores']} cores of {state['processor']} "
            f"({', '.join(state['instructions'])}), load before a piece {load:.1f} on average; "
            f"{libraries}; {cpu_s:,.0f} CPU s.*\n"
        )


def _program_words(pieces: Sequence[Made]) -> str:
    """Stages and weights of some pieces, with all versions that they were of."""
    parts = []
    for kind in ("stages", "weights"):
        found: dict[str, list[str]] = {}
        for made in pieces:
            for name, version in made.program[kind].items():
                versions = found.setdefault(name, [])
                versions += [] if str(version) in versions else [str(version)]
        words = ", ".join(f"{name} {' and '.join(them)}" for name, them in found.items())
        parts += [f"{kind} {words}"] if words else []
    return "; ".join(parts) or "no stage, no weights"
