"""The HTML page of a benchmark: one file that opens without a network.

Its line charts are data for the template, which draws them as SVG.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mvrecon import __version__, atomic
from mvrecon.evaluation.bench.benchmarks import TITLES
from mvrecon.evaluation.bench.compare import Comparison
from mvrecon.evaluation.bench.flow.measure import PairResult
from mvrecon.evaluation.bench.flow.rows import WORDS, telling_pairs
from mvrecon.evaluation.bench.rows import Row, cell, metrics_with_values
from mvrecon.evaluation.metrics.depth import COVERAGE_PERCENTS
from mvrecon.evaluation.metrics.metric import Metric
from mvrecon.formats.images import read_pixels
from mvrecon.report.pictures import Picture, captioned
from mvrecon.report.templates import environment

# Of the drawing and its margins, SVG units.
WIDTH, HEIGHT, LEFT, BOTTOM, TOP, RIGHT = 420, 240, 52, 34, 10, 12
TICKS = 4
COLOURS = ("#1f6feb", "#d9730d", "#1a7f4b", "#a33ea1", "#c0362c", "#777e87")

Points = Sequence[tuple[float, float]]
TEMPLATES = Path(__file__).parent / "templates"
STRIP_PX = 1600


@dataclass(frozen=True)
class Tick:
    """A place on one axis, SVG units, and what stands there."""

    at: float
    text: str


@dataclass(frozen=True)
class Curve:
    """A line with its colour; `points` as SVG takes them."""

    name: str
    colour: str
    points: str


@dataclass(frozen=True)
class Chart:
    """A line chart, laid out: both axes from 0."""

    title: str
    x_name: str
    y_name: str
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    curves: tuple[Curve, ...]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = WIDTH - RIGHT
    top: int = TOP
    bottom: int = HEIGHT - BOTTOM


def line_chart(title: str, x_name: str, y_name: str, curves: Mapping[str, Points]) -> Chart:
    """A chart with a curve for each name."""
    points = [point for curve in curves.values() for point in curve]
    x_largest = max(x for x, _ in points) or 1.0
    y_largest = max(y for _, y in points) * 1.05 or 1.0

    def right(x: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * x / x_largest

    def up(y: float) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * y / y_largest

    shares = [step / TICKS for step in range(TICKS + 1)]
    return Chart(
        title,
        x_name,
        y_name,
        tuple(Tick(right(x_largest * s), f"{x_largest * s:.3g}") for s in shares),
        tuple(Tick(up(y_largest * s), f"{y_largest * s:.2g}") for s in shares),
        tuple(
            Curve(
                name,
                COLOURS[index % len(COLOURS)],
                " ".join(f"{right(x):.1f},{up(y):.1f}" for x, y in sorted(curve)),
            )
            for index, (name, curve) in enumerate(curves.items())
        ),
    )


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
    rows: Sequence[Row] = ()
    pairs: Mapping[str, Mapping[str, Sequence[PairResult]]] = field(default_factory=dict)
    comparison: Comparison | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    reports: Sequence[str] = ()
    depth_strips: Sequence[tuple[str, Picture]] = ()


@dataclass(frozen=True)
class Table:
    """One benchmark's rows, and those of its metrics that they have."""

    benchmark: str
    rows: Sequence[Row]
    metrics: list[Metric]

    @property
    def title(self) -> str:
        """Of the benchmark."""
        return TITLES[self.benchmark]

    @property
    def is_compared(self) -> bool:
        """Whether a data set has several variants."""
        return len({row.data_set for row in self.rows}) < len(self.rows)


def write_page(page: Page, path: Path) -> None:
    """Write the page, replacing the file in one step."""
    atomic.write_text(path, page_html(page))


def page_html(page: Page) -> str:
    """The page as text; pictures and styles are inside."""
    templates = environment(TEMPLATES)
    templates.globals |= {"cell": cell, "is_best": _is_best}
    return templates.get_template("bench.html.j2").render(
        version=__version__,
        page=page,
        tables=list(_tables(page.rows)),
        charts=_confidence_charts(page.rows),
        pairs={title: list(_error_pictures(models)) for title, models in page.pairs.items()},
        depths=[captioned(strip, text, STRIP_PX) for text, strip in page.depth_strips],
    )


def _tables(rows: Sequence[Row]) -> Iterator[Table]:
    for benchmark in TITLES:
        if chosen := [row for row in rows if row.benchmark == benchmark]:
            yield Table(benchmark, chosen, metrics_with_values(chosen))


def _is_best(row: Row, metric: Metric, rows: Sequence[Row]) -> bool:
    """Whether no other row of the data set is better, as far as the table shows, and one worse."""
    values = [
        other.figures[metric.name]
        for other in rows
        if other.data_set == row.data_set and metric.name in other.figures
    ]
    if metric.name not in row.figures or not metric.better or min(values) == max(values):
        return False
    return cell(row, metric) == metric.form.format(min(values, key=metric.badness))


def _confidence_charts(rows: Sequence[Row]) -> list[Chart]:
    """Precision against coverage of the depth maps, a chart for each data set."""
    curves: dict[str, dict[str, list[tuple[float, float]]]] = {}
    for row in rows:
        points = [
            (float(percent), row.figures[name])
            for percent in COVERAGE_PERCENTS
            if (name := f"abs_rel_surest_{percent}") in row.figures
        ]
        if row.benchmark == "depth" and points:
            points.append((100.0, row.figures["abs_rel_mean_over_images"]))
            curves.setdefault(row.data_set, {})[row.variant] = points
    return [
        line_chart(title, "surest pixels, %", "AbsRel", by_variant)
        for title, by_variant in curves.items()
    ]


def _error_pictures(by_model: Mapping[str, Sequence[PairResult]]) -> Iterator[dict[str, str]]:
    """The same pair of all models together, where they agree on what is hard."""
    for word in WORDS:
        for label, results in by_model.items():
            if result := telling_pairs(results).get(word):
                caption = f"{label}, {word}: {result.name}, EPE {result.epe_px:.2f} px"
                yield captioned(read_pixels(result.picture), caption, STRIP_PX)
