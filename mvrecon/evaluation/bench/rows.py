"""The rows that every benchmark gives, and their files."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from mvrecon import __version__
from mvrecon.engine.measure import versions
from mvrecon.errors import InputError
from mvrecon.evaluation.bench.benchmarks import METRICS, TITLES
from mvrecon.evaluation.metrics.metric import Metric

ID_COLUMNS = ("benchmark", "data_set", "variant", "count")


@dataclass(frozen=True)
class Row:
    """One variant on one data set.

    Attributes:
        benchmark: name in `METRICS`.
        data_set: title.
        variant: model or options.
        count: pairs or images that the figures speak of.
        figures: name → value; a figure that does not apply is not there.
        note: why figures are missing.
    """

    benchmark: str
    data_set: str
    variant: str
    count: int
    figures: Mapping[str, float] = field(default_factory=dict)
    note: str = ""

    @property
    def identity(self) -> tuple[str, str, str]:
        """What makes two rows of two runs comparable."""
        return (self.benchmark, self.data_set, self.variant)


def write_json(rows: Sequence[Row], command: str, settings: Mapping[str, Any], path: Path) -> None:
    """Write what `read_json` reads.

    Args:
        rows: the figures.
        command: that made them.
        settings: variant → all that decides its result, to know later what was measured.
        path: of the file.
    """
    plain = []
    for row in rows:
        finite = {name: value for name, value in row.figures.items() if math.isfinite(value)}
        plain.append(asdict(row) | {"figures": finite})
    data = {
        "mvrecon": __version__,
        "command": command,
        "versions": versions(),
        "variants": settings,
        "rows": plain,
    }
    path.write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def read_json(path: Path) -> list[Row]:
    """Rows that an earlier run wrote.

    Raises:
        InputError: missing, or not such a file.
    """
    try:
        data: Any = json.loads(path.read_text(encoding="utf-8"))
        return [Row(**row) for row in data["rows"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{path} is no result of mvrecon bench ({error})", "Give the bench.json of another run"
        ) from error


def write_csv(rows: Sequence[Row], path: Path) -> None:
    """One line a row, a column for each figure of any benchmark that has rows."""
    names = list(dict.fromkeys(f.name for row in rows for f in METRICS[row.benchmark]))
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([*ID_COLUMNS, *names, "note"])
        for row in rows:
            values = [row.figures.get(name, "") for name in names]
            writer.writerow([*(getattr(row, name) for name in ID_COLUMNS), *values, row.note])


def metrics_with_values(rows: Sequence[Row], only_main: bool = False) -> list[Metric]:
    """The figures of the rows' benchmark that at least one row has."""
    return [
        metric
        for metric in METRICS[rows[0].benchmark]
        if (metric.main or not only_main) and any(metric.name in row.figures for row in rows)
    ]


def cell(row: Row, metric: Metric) -> str:
    """A figure as text, a dash where there is none."""
    value = row.figures.get(metric.name)
    return "–" if value is None or not math.isfinite(value) else metric.form.format(value)


def markdown(rows: Sequence[Row], command: str) -> str:
    """Tables with the meaning of their columns."""
    parts = [f"Made by `{command}`.\n"]
    for benchmark, title in TITLES.items():
        chosen = [row for row in rows if row.benchmark == benchmark]
        if not chosen:
            continue
        metrics = metrics_with_values(chosen)
        main = [metric for metric in metrics if metric.main]
        parts.append(f"## {title}\n\n{markdown_table(chosen, main)}")
        if rest := [metric for metric in metrics if not metric.main]:
            parts.append(markdown_table(chosen, rest))
        parts.append("".join(f"- {m.heading}: {m.meaning}.\n" for m in metrics))
    return "\n".join(parts)


def markdown_table(rows: Sequence[Row], metrics: Sequence[Metric]) -> str:
    """One table; a note takes the place of missing figures."""
    lines = [
        "| " + " | ".join(["data set", "count", "variant", *(m.heading for m in metrics)]) + " |"
    ]
    lines.append("|" + "---|" * (len(metrics) + 3))
    for row in rows:
        cells = [row.data_set, str(row.count), row.variant, *(cell(row, m) for m in metrics)]
        lines.append("| " + " | ".join(cells) + " |" + (f" {row.note}" if row.note else ""))
    return "\n".join(lines) + "\n"


def terminal_table(rows: Sequence[Row]) -> str:
    """The main figures of one benchmark in aligned columns."""
    metrics = metrics_with_values(rows, only_main=True)
    table = [["data set", "count", "variant", *(metric.heading for metric in metrics)]]
    for row in rows:
        table.append([row.data_set, str(row.count), row.variant, *(cell(row, m) for m in metrics)])
    widths = [max(len(line[i]) for line in table) for i in range(len(table[0]))]
    lines = []
    for line, note in zip(table, ["", *(row.note for row in rows)], strict=True):
        padded = [
            text.ljust(width) if i in (0, 2) else text.rjust(width)
            for i, (text, width) in enumerate(zip(line, widths, strict=True))
        ]
        lines.append("  ".join([*padded, note]).rstrip())
    return "\n".join(lines)
