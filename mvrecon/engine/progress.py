"""Progress for a person: a bar on a terminal, lines of the log elsewhere."""

from __future__ import annotations

import logging
import sys
import time
from types import TracebackType

LINE_EVERY_S = 10.0

log = logging.getLogger(__name__)


class Progress:
    """Items done, rate and time left; shown if the log takes what is told at level INFO.

    Args:
        label: what is being done.
        total: number of items, or None if unknown.
        unit: name of one item.
        done: items that were there already.
    """

    def __init__(self, label: str, total: int | None, unit: str, done: int = 0) -> None:
        self._label, self._total, self._unit = label, total, unit
        self._done = self._initial = done
        self._started = self._last_line = time.monotonic()
        self._bar = None
        if log.isEnabledFor(logging.INFO) and sys.stderr.isatty():
            from tqdm import tqdm

            self._bar = tqdm(
                desc=label,
                total=total,
                unit=f" {unit}",
                initial=done,
                leave=False,
                dynamic_ncols=True,
            )

    def advance(self, count: int = 1) -> None:
        """Note that items were finished."""
        self._done += count
        if self._bar is not None:
            self._bar.update(count)
        elif time.monotonic() - self._last_line >= LINE_EVERY_S:
            self._last_line = time.monotonic()
            log.info(self._line())

    def _line(self) -> str:
        seconds = time.monotonic() - self._started
        rate = (self._done - self._initial) / max(seconds, 1e-9)
        of_total = f"/{self._total}" if self._total is not None else ""
        text = f"  {self._label}: {self._done}{of_total} {self._unit}s, {rate:.2f} {self._unit}s/s"
        if self._total is not None and rate > 0:
            text += f", {(self._total - self._done) / rate:.0f} s left"
        return text

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.close()
