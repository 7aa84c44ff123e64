"""Line charts as SVG inside a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

WIDTH, HEIGHT, LEFT, BOTTOM, TOP, RIGHT = 420, 240, 52, 34, 10, 12
TICKS = 4
COLOURS = ("#1f6feb", "#d9730d", "#1a7f4b", "#a33ea1", "#c0362c", "#777e87")

Points = Sequence[tuple[float, float]]


def line_chart(title: str, x_name: str, y_name: str, curves: Mapping[str, Points]) -> str:
    """A figure with a curve for each name, both axes from 0, and a legend below."""
    points = [point for curve in curves.values() for point in curve]
    x_largest = max(x for x, _ in points) or 1.0
    y_largest = max(y for _, y in points) * 1.05 or 1.0

    def place(x: float, y: float) -> tuple[float, float]:
        return (
            LEFT + (WIDTH - LEFT - RIGHT) * x / x_largest,
            HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * y / y_largest,
        )

    parts = []
    for step in range(TICKS + 1):
        x, y = x_largest * step / TICKS, y_largest * step / TICKS
        (right, _), (_, up) = place(x, 0), place(0, y)
        parts.append(f'<path class="grid" d="M{LEFT} {up:.1f}H{WIDTH - RIGHT}"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{up + 4:.1f}" text-anchor="end">{y:.2g}</text>')
        parts.append(
            f'<text x="{right:.1f}" y="{HEIGHT - BOTTOM + 15}" text-anchor="middle">{x:.3g}</text>'
        )
    legend = []
    for index, (name, curve) in enumerate(curves.items()):
        colour = COLOURS[index % len(COLOURS)]
        steps = " ".join("{:.1f},{:.1f}".format(*place(x, y)) for x, y in sorted(curve))
        parts.append(f'<polyline points="{steps}" fill="none" stroke="{colour}" stroke-width="2"/>')
        legend.append(f'<span style="color:{colour}">■</span> {escape(name)}')
    middle = (LEFT + WIDTH - RIGHT) / 2
    parts.append(
        f'<text x="{middle}" y="{HEIGHT - 4}" text-anchor="middle">{escape(x_name)}</text>'
    )
    parts.append(f'<text x="{LEFT + 6}" y="{TOP + 8}">{escape(y_name)}</text>')
    caption = f"<b>{escape(title)}</b> · {' &nbsp; '.join(legend)}"
    return (
        f'<figure class="chart"><svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img">{"".join(parts)}'
        f"</svg><figcaption>{caption}</figcaption></figure>"
    )
