"""Line charts as data for the page's template, which draws them as SVG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

# Of the drawing and its margins, SVG units.
WIDTH, HEIGHT, LEFT, BOTTOM, TOP, RIGHT = 420, 240, 52, 34, 10, 12
TICKS = 4
COLOURS = ("#1f6feb", "#d9730d", "#1a7f4b", "#a33ea1", "#c0362c", "#777e87")

Points = Sequence[tuple[float, float]]


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
