"""Strikes at random instants in every stage, each followed by a run that goes on from there."""

from __future__ import annotations

import json
import random
import shutil
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.torture.small_run import (
    PLACES,
    SmallRun,
    Stamp,
    digests,
    finished_items,
    left_over,
    made_twice,
    manifests,
)

GOES_ON = "go on with: mvrecon"
# Starting and writing the report: no manifest tells how long they take.
SHORT_S = 0.6


class Book:
    """Lines of JSON, appended as things happen, so that an interrupted torture loses none."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.lines: list[dict[str, Any]] = []
        if path.is_file():
            self.lines = [json.loads(line) for line in path.read_text().splitlines()]

    def add(self, line: Mapping[str, Any]) -> None:
        """Append a line and show it."""
        text = json.dumps(line)
        with self._path.open("a") as file:
            file.write(f"{text}\n")
        self.lines.append(dict(line))
        print(text, flush=True)

    def of(self, fault: str) -> list[dict[str, Any]]:
        """Lines of one kind."""
        return [line for line in self.lines if line["fault"] == fault]


def durations(run_dir: Path) -> dict[str, float]:
    """Seconds that each place took in a run that nothing disturbed."""
    found = dict.fromkeys(PLACES, SHORT_S)
    for stage, manifest in manifests(run_dir).items():
        found[stage] = json.loads(manifest.read_text())["recorded"]["wall_s"]
    return found


def lap(
    folder: Path, number: signal.Signals, each: int, whole: Path, rng: random.Random, book: Book
) -> None:
    """One run from an empty folder to its end, struck `each` times in every place.

    Args:
        folder: of the run; emptied.
        number: what it is struck with.
        each: so many times in each place.
        whole: a run that nothing disturbed.
        rng: chooses the instants.
        book: takes a line for each strike and one for the lap.
    """
    shutil.rmtree(folder, ignore_errors=True)
    length_s = durations(whole)
    finished: dict[str, Stamp] = {}
    for place in PLACES:
        for _ in range(each):
            run = SmallRun(folder)
            # Before Python has read the first line of ours it ends as Python does.
            is_ready = number is signal.SIGKILL or run.listens()
            is_there = is_ready and run.reaches(place)
            back_s = time.monotonic() - run.started_at
            if not is_there or not run.lives_for(rng.uniform(0, 0.9 * length_s[place])):
                run.end()
                continue
            line = strike(run, number)
            now = finished_items(folder)
            line |= {"made twice": made_twice(finished, now), "items": len(now)}
            line["back at work [s]"] = round(back_s, 2)
            book.add(line)
            finished = now
    seconds = SmallRun(folder).end()
    found = {
        "fault": f"{number.name} lap",
        "other results": [k for k, v in digests(folder).items() if digests(whole)[k] != v],
        "made twice": made_twice(finished, finished_items(folder)),
        "left over": left_over(folder),
        "last run [s]": round(seconds, 2),
    }
    book.add(found)


def strike(run: SmallRun, number: signal.Signals) -> dict[str, Any]:
    """Strike a run and tell how it ended."""
    place = run.place()
    ended_s, children_s = run.strike(number)
    status, words = run.process.returncode, run.words()
    told = words.count(GOES_ON) == 1 and "Traceback" not in words
    is_right = status == -number if number is signal.SIGKILL else status == 130 and told
    return {
        "fault": number.name,
        "place": place,
        "ended [s]": round(ended_s, 3),
        "children ended [s]": round(children_s, 3),
        "wrong end": "" if is_right else f"{status}: {words}",
    }
