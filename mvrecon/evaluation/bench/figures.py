"""What a benchmark measures: a figure, with its aggregation and its better direction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

# Time differs from run to run by more than errors do.
TIME_TOLERANCE = 0.15


@dataclass(frozen=True)
class Figure:
    """One column.

    Attributes:
        name: in JSON and CSV, with aggregation and unit.
        heading: in tables.
        meaning: in full, with how it aggregates.
        better: direction; empty if neither is.
        form: how a number is printed.
        main: whether it is in the first table and in the terminal.
        tolerance: relative change that still counts as the same.
    """

    name: str
    heading: str
    meaning: str
    better: Literal["lower", "higher", ""] = "lower"
    form: str = "{:.2f}"
    main: bool = True
    tolerance: float = 0.01
