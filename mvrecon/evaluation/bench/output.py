"""The files that a benchmark leaves, and what it says in the terminal."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from mvrecon.evaluation.bench.benchmarks import TITLES
from mvrecon.evaluation.bench.compare import comparison_lines
from mvrecon.evaluation.bench.page import Page, write_page
from mvrecon.evaluation.bench.rows import markdown, terminal_table, write_csv, write_json


def write_results(page: Page, folder: Path, markdown_file: Path | None = None) -> Path:
    """Write tables and page into a folder, the tables into `markdown_file` too.

    Returns:
        The page.
    """
    folder.mkdir(parents=True, exist_ok=True)
    write_csv(page.rows, folder / "bench.csv")
    write_json(page.rows, page.command, page.settings, folder / "bench.json")
    write_page(page, folder / "bench.html")
    if markdown_file:
        text = f"# {page.title}\n\n{markdown(page.rows, page.command)}"
        markdown_file.write_text(text, encoding="utf-8")
    return folder / "bench.html"


def terminal_text(page: Page) -> str:
    """The main figures of each benchmark, and what changed."""
    tables = {
        title: [row for row in page.rows if row.benchmark == benchmark]
        for benchmark, title in TITLES.items()
    }
    parts = [f"\n{title}\n{terminal_table(rows)}" for title, rows in tables.items() if rows]
    if page.comparison:
        parts.append("\n" + "\n".join(comparison_lines(page.comparison)))
    return "\n".join(parts)


def command_text(arguments: Sequence[str], stand_ins: Mapping[Path | None, str]) -> str:
    """A command without the paths of this machine, as it stands in files that others read.

    Args:
        arguments: of the program.
        stand_ins: path → what is written in its place; other files are told as FILE.
    """
    names = {str(path): name for path, name in stand_ins.items() if path is not None}
    words = []
    for word in arguments:
        option, equals, value = word.partition("=")
        if word in names or (equals and value in names):
            words.append(names[word] if word in names else f"{option}={names[value]}")
        else:
            words.append(f"{option}=FILE" if equals and Path(value).is_file() else word)
    return shlex.join(["mvrecon", *words])
