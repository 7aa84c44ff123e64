"""A metric: what a figure is called, what it means, how it is printed, which direction is better.

Each module of this folder lists the metrics of its formulae once; a run's table, the tables of
benchmarks, their comparison and their page all read it there.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

# Time and memory differ from run to run by more than errors do.
COST_TOLERANCE = 0.15
# Poses differ a little from run to run.
POSE_TOLERANCE = 0.05


@dataclass(frozen=True)
class Metric:
    """One figure.

    Attributes:
        name: in benchmarks' JSON and CSV, with aggregation and unit.
        heading: in benchmarks' tables; empty if only one run's evaluation has it.
        meaning: in full, with how it aggregates.
        better: direction, "zero" if both are wrong; empty if it does not matter.
        form: how benchmarks print a number.
        main: whether it is in a benchmark's first table and in the terminal.
        tolerance: relative change that still counts as the same.
        field: what it is called where one run is evaluated, if not by its name.
    """

    name: str
    heading: str
    meaning: str
    better: Literal["lower", "higher", "zero", ""] = "lower"
    form: str = "{:.2f}"
    main: bool = True
    tolerance: float = 0.01
    field: str = ""

    @property
    def arrow(self) -> str:
        """The better direction as a sign (→: towards 0), a space if there is none."""
        return {"lower": "↓", "higher": "↑", "zero": "→", "": " "}[self.better]

    def badness(self, value: float) -> float:
        """The lower, the better the value is; of a metric that has a better direction."""
        return {"lower": value, "higher": -value, "zero": abs(value)}[self.better]

    @property
    def field_name(self) -> str:
        """Of the attribute that holds it where one run is evaluated."""
        return self.field or self.name


def by_field(metrics: Iterable[Metric]) -> dict[str, Metric]:
    """Metrics by what they are called where one run is evaluated."""
    return {metric.field_name: metric for metric in metrics}
