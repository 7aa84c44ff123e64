"""Kills a small pipeline at instants all over its life, lets it resume, and looks at what is left.

python -m tests.engine.torture FOLDER [--every N] [--random N] [--seed S]

Prints one JSON object: how often it was killed, and what was wrong (nothing, it is hoped).
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Collection
from pathlib import Path

from mvrecon.engine.config import StageConfig
from mvrecon.engine.runner import Runner
from mvrecon.engine.stage import Stage, StageContext, Summary

STAGES = ("first", "second", "third")
ITEMS = tuple(f"items/{number}.txt" for number in range(4))
# Events that Python tells its audit hooks of, and that change what is on the disk.
FILE_EVENTS = frozenset(
    {"open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.symlink", "shutil.rmtree"}
)
# Long enough for the toy to pass; longer ones are a hang.
LIMIT_S = 60


class NoConfig(StageConfig):
    """No options."""


def run_stage(context: StageContext[NoConfig], name: str, journal: Path) -> Summary:
    """Make every item from that of the stage before, and note what was begun and finished."""

    def make(item: str) -> None:
        note(journal, f"begin {name} {item}")
        before = [stored.path(item).read_text() for stored in context.inputs.values()]
        context.out.write_text(item, f"{name} of {item} of {before}")
        note(journal, f"end {name} {item}")

    context.make_items(ITEMS, make, unit="item")
    scratch = context.out.scratch() / "notes.txt"
    scratch.write_text("not part of the result")
    return Summary({"items": len(ITEMS)})


def note(journal: Path, line: str) -> None:
    """Append a line; one write, so that a kill leaves all of it or nothing."""
    descriptor = os.open(journal, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(descriptor, f"{line}\n".encode())
    os.close(descriptor)


def make_stage(name: str, needs: tuple[str, ...], journal: Path) -> Stage[NoConfig]:
    """A stage that publishes its items."""
    return Stage(
        name,
        1,
        NoConfig,
        needs,
        lambda context: run_stage(context, name, journal),
        reads_raw_input=not needs,
        publishes={name: "items"},
    )


def make_runner(folder: Path, workers: int) -> Runner:
    """The pipeline in a folder."""
    before = ("", *STAGES)
    stages = [
        make_stage(name, (needed,) if needed else (), folder / "journal")
        for name, needed in zip(STAGES, before, strict=False)
    ]
    raw_input = folder / "input.txt"
    return Runner(stages, folder / "run", raw_input, {n: NoConfig() for n in STAGES}, workers)


def in_child(work: Callable[[], None]) -> bool:
    """Whether a forked process lived to the end of its work."""
    child = os.fork()
    if child == 0:
        try:
            work()
            os._exit(0)
        except BaseException as error:
            print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
            os._exit(1)
    deadline = time.monotonic() + LIMIT_S
    while True:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            break
        if time.monotonic() > deadline:
            os.kill(child, signal.SIGKILL)
            raise SystemExit(f"hung for {LIMIT_S} s")
        time.sleep(0.001)
    if os.WIFEXITED(status) and os.WEXITSTATUS(status) != 0:
        raise SystemExit(f"failed with exit status {os.WEXITSTATUS(status)} instead of resuming")
    return os.WIFEXITED(status)


def killed_at_event(folder: Path, number: int, forced: Collection[str] = ()) -> Callable[[], None]:
    """A run that dies just before it touches a file under the folder for the n-th time."""
    seen = 0

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal seen
        if event in FILE_EVENTS and str(folder / "run") in str(arguments[0]):
            seen += 1
            if seen == number:
                os.kill(os.getpid(), signal.SIGKILL)

    def work() -> None:
        sys.addaudithook(hook)
        make_runner(folder, 1).run(STAGES[-1], forced)

    return work


def killed_after(folder: Path, seconds: float) -> Callable[[], None]:
    """A run that dies at an instant by the clock, whatever it does then."""

    def work() -> None:
        # The default action ends the process at once, as SIGKILL does.
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, seconds)
        make_runner(folder, 2).run(STAGES[-1])

    return work


class Torture:
    """Counts kills, and collects what was wrong after them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.kills = 0
        self.faults: Counter[str] = Counter()
        self.wanted = ""

    def begin(self) -> None:
        """An empty folder with the input."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        (self.folder / "input.txt").write_text("the same every time")

    def attempt(self, work: Callable[[], None]) -> bool:
        """Run and count the kill; whether it lived."""
        lived = in_child(work)
        self.kills += not lived
        return lived

    def forget(self) -> None:
        """Begin a new journal, as what comes next is asked to be computed again."""
        (self.folder / "journal").write_text("")

    def resume_and_check(self) -> None:
        """Run to the end undisturbed, and compare with what an undisturbed run gives."""
        in_child(lambda: make_runner(self.folder, 1).run(STAGES[-1]) and None)
        result = self.result()
        self.wanted = self.wanted or result
        if result != self.wanted:
            self.faults["another result"] += 1
        lines = (self.folder / "journal").read_text().splitlines()
        for line in {line.removeprefix("end ") for line in lines if line.startswith("end ")}:
            finished = lines.index(f"end {line}")
            self.faults["computed twice"] += f"begin {line}" in lines[finished:]
        left = [path.name for path in (self.folder / "run").rglob(".writing-*")]
        left += [path.name for path in (self.folder / "run/store").rglob("*.partial")]
        self.faults["left over"] += bool(left)
        if left:
            print(left, file=sys.stderr)

    def result(self) -> str:
        """Digests of all stages and the content of what they publish."""
        found = {}
        for name in STAGES:
            pointer = self.folder / "run/store" / name / "latest"
            manifest = pointer.with_name(pointer.read_text()) / "manifest.json"
            published = [(self.folder / "run" / name / Path(i).name).read_text() for i in ITEMS]
            found[name] = (json.loads(manifest.read_text())["digest"], published)
        return json.dumps(found)


def at_every_event(torture: Torture, step: int) -> int:
    """Kill at every `step`-th touch of a file; returns how many touches a run has."""
    number = 1
    while True:
        torture.begin()
        if torture.attempt(killed_at_event(torture.folder, number)):
            return number
        # Every other time the resumed run dies too, somewhere else.
        if number % 2:
            torture.attempt(killed_at_event(torture.folder, 1 + (7 * number) % 40))
        torture.resume_and_check()
        number += step


def at_every_event_of_a_replacement(torture: Torture, step: int) -> None:
    """Kill where a stage is made anew over its finished result, again and again in one folder."""
    torture.begin()
    torture.resume_and_check()
    number = 1
    while not torture.attempt(killed_at_event(torture.folder, number, {STAGES[1]})):
        torture.forget()
        torture.resume_and_check()
        number += step


def at_random(torture: Torture, kills: int, rng: random.Random) -> None:
    """Kill by the clock until it has happened so often, several times in one run's life."""
    start = time.monotonic()
    torture.begin()
    torture.resume_and_check()
    whole_s = time.monotonic() - start
    wanted = torture.kills + kills
    while torture.kills < wanted:
        torture.begin()
        for _ in range(rng.randint(1, 4)):
            if torture.attempt(killed_after(torture.folder, rng.uniform(0.0005, whole_s))):
                break
        torture.resume_and_check()


def main() -> None:
    """Kill as often as asked, print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--random", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    torture = Torture(options.folder)
    torture.begin()
    torture.resume_and_check()
    touches = at_every_event(torture, options.every)
    at_every_event_of_a_replacement(torture, options.every)
    at_random(torture, options.random, random.Random(options.seed))
    faults = {name: count for name, count in torture.faults.items() if count}
    print(json.dumps({"kills": torture.kills, "touches": touches, "faults": faults}))


if __name__ == "__main__":
    main()
