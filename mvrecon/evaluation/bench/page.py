"""The HTML page of a benchmark: one file that opens without a network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote

from mvrecon import __version__, atomic
from mvrecon.evaluation.bench.benchmarks import TITLES
from mvrecon.evaluation.bench.charts import line_chart
from mvrecon.evaluation.bench.compare import Comparison, change_text
from mvrecon.evaluation.bench.figures import Figure
from mvrecon.evaluation.bench.flow.measure import PairResult
from mvrecon.evaluation.bench.flow.rows import WORDS, telling_pairs
from mvrecon.evaluation.bench.posed.figures import DEPTH_SHARES
from mvrecon.evaluation.bench.rows import Row, cell, figures_with_values
from mvrecon.report.document import document
from mvrecon.report.markup import picture, section
from mvrecon.report.pictures import Picture, read_rgb

STRIP_PX = 1600
STYLE = """
td.best { font-weight: 700; color: var(--accent); }
tr.first td { border-top: 2px solid var(--line); }
td, th { white-space: nowrap; } td.text { white-space: normal; }
ul.changes { padding-left: 1.2rem; } .worse { color: var(--poor); } .better { color: var(--good); }
figure.strip { margin-bottom: .8rem; } dl.meanings dt { font-weight: 600; margin-top: .4rem; }
dl.meanings dd { margin: 0; color: var(--soft); }
.charts { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fill, minmax(20rem, 1fr)); }
.charts text { font-size: 11px; fill: var(--soft); } .charts .grid { stroke: var(--line); }
"""


@dataclass(frozen=True)
class Page:
    """What the page shows.

    Attributes:
        title: of the benchmark.
        command: that made it.
        rows: all figures.
        pairs: part of a data set → model → results, for the error pictures.
        comparison: with an earlier run, if asked for.
        settings: variant → all that decides its result.
        reports: of the pipeline's runs, relative to the page.
        depth_strips: pictures of depth maps with their captions.
    """

    title: str
    command: str
    rows: Sequence[Row]
    pairs: Mapping[str, Mapping[str, Sequence[PairResult]]]
    comparison: Comparison | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    reports: Sequence[str] = ()
    depth_strips: Sequence[tuple[str, Picture]] = ()


def write_page(page: Page, path: Path) -> None:
    """Write the page, replacing the file in one step."""
    atomic.write_text(path, page_html(page))


def page_html(page: Page) -> str:
    """The page as text; pictures and styles are inside."""
    benchmarks = [
        _benchmark_section(name, chosen)
        for name in TITLES
        if (chosen := [row for row in page.rows if row.benchmark == name])
    ]
    header = f"""<p class="kicker">mvrecon bench {escape(__version__)}</p>
<h1>{escape(page.title)}</h1>
<p class="note"><code>{escape(page.command)}</code></p>"""
    sections = [
        _changes_section(page.comparison),
        *benchmarks,
        _confidence_section(page.rows),
        _reports_section(page.reports),
        _pictures_section(page.pairs),
        _depth_section(page.depth_strips),
    ]
    return document(f"{page.title} · mvrecon bench", header, sections, STYLE)


def _changes_section(comparison: Comparison | None) -> str:
    if comparison is None:
        return ""
    items = {main: _change_items(comparison, main) for main in (True, False)}
    for rows, word in ((comparison.added, "new"), (comparison.gone, "no longer there")):
        items[True] += [f"<li>{word}: {escape(' · '.join(row.identity))}</li>" for row in rows]
    worse = sum(not change.improved for change in comparison.changes)
    note = (
        f"{worse} figures are worse, {len(comparison.changes) - worse} better, "
        f"{comparison.same} the same within their tolerance."
    )
    body = f'<ul class="changes">{"".join(items[True])}</ul>'
    if items[False]:
        body += (
            f"<details><summary>{len(items[False])} changes of less usual figures</summary>"
            f'<ul class="changes">{"".join(items[False])}</ul></details>'
        )
    return section("changes", "Since the earlier run", note, body)


def _change_items(comparison: Comparison, main: bool) -> list[str]:
    return [
        f'<li class="{"better" if change.improved else "worse"}">{escape(change_text(change))}</li>'
        for improved in (False, True)
        for change in comparison.changes
        if change.improved == improved and change.figure.main == main
    ]


def _benchmark_section(name: str, rows: Sequence[Row]) -> str:
    figures = figures_with_values(rows)
    main = [figure for figure in figures if figure.main]
    body = _table(rows, main)
    if len(figures) > len(main):
        rest = [figure for figure in figures if not figure.main]
        body += (
            f"<details><summary>{len(rest)} more figures</summary>{_table(rows, rest)}</details>"
        )
    meanings = "".join(
        f"<dt>{escape(figure.heading)}</dt><dd>{escape(figure.meaning)}"
        f"{f'; {figure.better} is better' if figure.better else ''}</dd>"
        for figure in figures
    )
    body += (
        f"<details><summary>What the columns mean</summary><dl class='meanings'>{meanings}</dl>"
        "</details>"
    )
    is_compared = len({row.data_set for row in rows}) < len(rows)
    note = "The best of each data set is marked." if is_compared else ""
    return section(name, TITLES[name], note, body)


def _table(rows: Sequence[Row], figures: Sequence[Figure]) -> str:
    """Rows grouped by data set, numbers to the right, the best of each group marked."""
    notes = any(row.note for row in rows)
    head = "<th>data set</th><th>variant</th><th class='number'>count</th>"
    head += "".join(f"<th class='number'>{escape(figure.heading)}</th>" for figure in figures)
    lines, previous = [], ""
    for row in rows:
        group = [other for other in rows if other.data_set == row.data_set]
        is_first = row.data_set != previous
        cells = [
            f"<td class='text'>{escape(row.data_set) if is_first else ''}</td>",
            f"<td>{escape(row.variant)}</td><td class='number'>{row.count}</td>",
            *(_cell(row, figure, group) for figure in figures),
        ]
        if notes:
            cells.append(f"<td class='text'>{escape(row.note)}</td>")
        lines.append(f"<tr{' class=first' if is_first else ''}>{''.join(cells)}</tr>")
        previous = row.data_set
    head += "<th></th>" if notes else ""
    return (
        f'<div class="scroll"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(lines)}</tbody></table></div>"
    )


def _cell(row: Row, figure: Figure, group: Sequence[Row]) -> str:
    values = [other.figures[figure.name] for other in group if figure.name in other.figures]
    value = row.figures.get(figure.name)
    best = ""
    if value is not None and figure.better and len(values) > 1 and min(values) < max(values):
        pick = min if figure.better == "lower" else max
        best = " best" if cell(row, figure) == figure.form.format(pick(values)) else ""
    return f"<td class='number{best}'>{escape(cell(row, figure))}</td>"


def _confidence_section(rows: Sequence[Row]) -> str:
    """Precision against coverage of the depth maps, a chart for each data set."""
    curves: dict[str, dict[str, list[tuple[float, float]]]] = {}
    for row in rows:
        points = [
            (float(share), row.figures[name])
            for share in DEPTH_SHARES
            if (name := f"abs_rel_surest_{share}") in row.figures
        ]
        if row.benchmark == "depth" and points:
            points.append((100.0, row.figures["abs_rel_mean_over_images"]))
            curves.setdefault(row.data_set, {})[row.variant] = points
    if not curves:
        return ""
    charts = "".join(
        line_chart(title, "surest pixels, %", "AbsRel", by_variant)
        for title, by_variant in curves.items()
    )
    note = "A confidence that knows the errors gives a curve that rises to the right."
    return section(
        "confidence", "What depth confidence is worth", note, f'<div class="charts">{charts}</div>'
    )


def _reports_section(reports: Sequence[str]) -> str:
    if not reports:
        return ""
    items = "".join(
        f'<li><a href="{escape(quote(report))}">{escape(str(Path(report).parent))}</a></li>'
        for report in reports
    )
    return section("reports", "Reports of the runs", "", f"<ul>{items}</ul>")


def _pictures_section(pairs: Mapping[str, Mapping[str, Sequence[PairResult]]]) -> str:
    if not pairs:
        return ""
    parts = []
    for title, by_model in pairs.items():
        # The same pair of all models together, where they agree on what is hard.
        strips = "".join(
            _strip(label, word, chosen[word])
            for word in WORDS
            for label, results in by_model.items()
            if word in (chosen := telling_pairs(results))
        )
        parts.append(f"<h3>{escape(title)}</h3>{strips}")
    note = (
        "Image, true flow, estimate, and end-point error from 0 (dark) to 16 px and more "
        "(bright) on a logarithmic scale; unknown truth is black or grey. Of each data set the "
        "pairs of least, median and largest error of each model."
    )
    return section("pictures", "Where the errors are", note, "".join(parts))


def _depth_section(strips: Sequence[tuple[str, Picture]]) -> str:
    if not strips:
        return ""
    note = (
        "Image, true depth, estimate, and relative error from 0 (dark) to 20 % and more (bright); "
        "what is unknown is grey. Of each variant the key frame in the middle."
    )
    return section(
        "depths", "Depth maps", note, "".join(_figure(strip, text) for text, strip in strips)
    )


def _figure(image_hw3: Picture, caption: str) -> str:
    return picture(image_hw3, caption, STRIP_PX).replace("<figure>", '<figure class="strip">', 1)


def _strip(label: str, word: str, result: PairResult) -> str:
    image_hw3 = read_rgb(result.picture)
    if image_hw3 is None:
        return ""
    caption = f"{label}, {word}: {result.name}, EPE {result.epe_px:.2f} px"
    return _figure(image_hw3, caption)
