"""What got better or worse since an earlier run."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from mvrecon.evaluation.bench.benchmarks import METRICS
from mvrecon.evaluation.bench.rows import Row
from mvrecon.evaluation.metrics.metric import Metric


@dataclass(frozen=True)
class Change:
    """A figure that differs by more than its tolerance.

    Attributes:
        row: the new one.
        metric: which.
        before, after: its values.
        improved: whether it moved in the better direction.
    """

    row: Row
    metric: Metric
    before: float
    after: float
    improved: bool

    @property
    def relative(self) -> float:
        """(after − before) / |before|, infinite if it was 0."""
        difference = self.after - self.before
        return difference / abs(self.before) if self.before else math.copysign(math.inf, difference)

    @property
    def text(self) -> str:
        """As a person reads it."""
        form = self.metric.form
        return (
            f"{' · '.join(self.row.identity)}: {self.metric.heading} "
            f"{form.format(self.before)} → {form.format(self.after)} ({self.relative:+.1%})"
        )


@dataclass(frozen=True)
class Comparison:
    """Two runs side by side.

    Attributes:
        changes: in the order of the new rows.
        same: number of figures within their tolerance.
        added, gone: rows that only the new or only the old run has.
    """

    changes: tuple[Change, ...]
    same: int
    added: tuple[Row, ...]
    gone: tuple[Row, ...]

    @property
    def ordered(self) -> list[Change]:
        """The changes, the worse ones first."""
        return sorted(self.changes, key=lambda change: change.improved)

    @property
    def worse(self) -> int:
        """Number of figures that are."""
        return sum(not change.improved for change in self.changes)

    @property
    def better(self) -> int:
        """Number of figures that are."""
        return len(self.changes) - self.worse


def compare(old: Sequence[Row], new: Sequence[Row]) -> Comparison:
    """Compare rows of the same benchmark, data set and variant, figure by figure."""
    before = {row.identity: row for row in old}
    after = {row.identity: row for row in new}
    changes: list[Change] = []
    same = 0
    for identity in after.keys() & before.keys():
        for metric in METRICS[identity[0]]:
            values = [side[identity].figures.get(metric.name) for side in (before, after)]
            if values[0] is None or values[1] is None or not metric.better:
                continue
            worsening = metric.badness(values[1]) - metric.badness(values[0])
            if abs(worsening) <= metric.tolerance * abs(values[0]):
                same += 1
                continue
            changes.append(Change(after[identity], metric, values[0], values[1], worsening < 0))
    order = {identity: index for index, identity in enumerate(after)}
    changes.sort(key=lambda change: order[change.row.identity])
    return Comparison(
        tuple(changes),
        same,
        tuple(row for row in new if row.identity not in before),
        tuple(row for row in old if row.identity not in after),
    )


def comparison_lines(comparison: Comparison) -> list[str]:
    """One line a change, the worse ones first, then what cannot be compared."""
    lines = [f"{'better' if c.improved else 'worse '} {c.text}" for c in comparison.ordered]
    lines.append(
        f"{comparison.worse} worse, {comparison.better} better, {comparison.same} the same"
    )
    for rows, word in ((comparison.added, "new"), (comparison.gone, "no longer there")):
        lines += [f"{word}: {' · '.join(row.identity)}" for row in rows]
    return lines
