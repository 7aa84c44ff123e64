"""A run of the real pipeline that is small enough to be struck hundreds of times."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

from mvrecon.engine.partial import EXPECTED, MANIFEST, SCRATCH
from stages.pipeline import STAGE_NAMES
from tests.conftest import REPOSITORY

CLIP = REPOSITORY / "sample_data" / "clip.mp4"
PROGRAM = (sys.executable, "-m", "mvrecon")
OPTIONS = (
    "--frames.max_size=256",
    "--frames.end_s=1",
    "--depth.max_size=128",
    "--depth.sweep.max_hypotheses=32",
    "--surface.mesh.max_faces=3000",
    # Such small maps are poor, and remedies would be tried.
    "--mend=none",
)
# Where a run can be struck: before its first stage, in each, and while the report is written.
PLACES = ("start", *STAGE_NAMES, "report")
BEGUN = re.compile(r"^(\w+): (running|cached)", re.MULTILINE)
LOOK_EVERY_S = 0.003
# No run takes so long; one that does hangs.
PATIENCE_S = 180.0

Stamp = tuple[int, int]


class SmallRun:
    """One run in a process group of its own, whose words go to a file.

    Args:
        run_dir: of the run, kept from one to the next.
        until: last stage.
    """

    def __init__(self, run_dir: Path, until: str = STAGE_NAMES[-1]) -> None:
        self.run_dir = run_dir
        self._log = run_dir.with_name(f"{run_dir.name}.log")
        self.started_at = time.monotonic()
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [*PROGRAM, "run", str(CLIP), "-o", str(run_dir), "--until", until, *OPTIONS],
                stdout=subprocess.DEVNULL,
                stderr=log,
                start_new_session=True,
            )

    def words(self) -> str:
        """What it said so far."""
        return self._log.read_text(errors="replace")

    def place(self) -> str:
        """Where it is at work."""
        words = self.words()
        begun = BEGUN.findall(words)
        if not begun:
            return PLACES[0]
        stage, how = begun[-1]
        is_over = how == "cached" or f"\n{stage}: done" in words
        return PLACES[PLACES.index(stage) + 1] if is_over else stage

    def reaches(self, place: str) -> bool:
        """Wait until it works there or further on; whether it has not ended before."""
        while self.process.poll() is None:
            if PLACES.index(self.place()) >= PLACES.index(place):
                return True
            if time.monotonic() - self.started_at > PATIENCE_S:
                raise SystemExit(f"hangs before {place}: {self.words()}")
            time.sleep(LOOK_EVERY_S)
        return False

    def listens(self) -> bool:
        """Wait until Python has started and signals are handled; whether it has not ended."""
        while self.process.poll() is None:
            status = Path(f"/proc/{self.process.pid}/status").read_text()
            caught = int(re.findall(r"^SigCgt:\s*(\w+)$", status, re.MULTILINE)[0], 16)
            if caught >> (signal.SIGTERM - 1) & 1:
                return True
            time.sleep(LOOK_EVERY_S)
        return False

    def lives_for(self, seconds: float) -> bool:
        """Wait; whether it has not ended before."""
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return True
        return False

    def strike(self, number: signal.Signals) -> tuple[float, float]:
        """Send a signal; seconds until the process, and until all its children, have ended."""
        struck_at = time.monotonic()
        self.process.send_signal(number)
        self.process.wait(PATIENCE_S)
        ended_s = time.monotonic() - struck_at
        while _group_lives(self.process.pid):
            if time.monotonic() - struck_at > PATIENCE_S:
                raise SystemExit("a child of a process that was killed goes on")
            time.sleep(LOOK_EVERY_S)
        return ended_s, time.monotonic() - struck_at

    def end(self) -> float:
        """Let it run to its end; seconds since its start.

        Raises:
            SystemExit: it failed.
        """
        if self.process.wait(PATIENCE_S) != 0:
            raise SystemExit(f"failed instead of going on: {self.words()}")
        return time.monotonic() - self.started_at


def _group_lives(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def manifests(run_dir: Path) -> dict[str, Path]:
    """Of each stage's result in use."""
    pointers = {stage: run_dir / "store" / stage / "latest" for stage in STAGE_NAMES}
    return {
        stage: pointer.with_name(pointer.read_text()) / MANIFEST
        for stage, pointer in pointers.items()
        if pointer.is_file()
    }


def digests(run_dir: Path) -> dict[str, str]:
    """Digest of each stage's result in use."""
    return {
        stage: json.loads(path.read_text())["digest"] for stage, path in manifests(run_dir).items()
    }


def finished_items(run_dir: Path) -> dict[str, Stamp]:
    """Inode and time of all items that stages have finished, whether or not the stage has."""
    found = {}
    for folder in run_dir.glob("store/*/*"):
        if not folder.is_dir() or not (folder.suffix == "" or folder.suffix == ".partial"):
            continue
        expected = folder / EXPECTED
        # Of a stage in work those that `make_items` made; what it writes last is not looked for.
        names = json.loads(expected.read_text()) if expected.is_file() else None
        if names is None and folder.suffix:
            continue
        paths = folder.rglob("*") if names is None else (folder / name for name in names)
        for path in paths:
            inside = path.relative_to(folder)
            if path.is_file() and not path.name.startswith(".") and inside.parts[0] != SCRATCH:
                status = path.stat()
                key = f"{folder.parent.name}/{folder.stem}/{inside}"
                found[key] = (status.st_ino, status.st_mtime_ns)
    return found


def made_twice(before: dict[str, Stamp], after: dict[str, Stamp]) -> list[str]:
    """Items that had been finished and are others now, but for the books."""
    return [
        name
        for name, stamp in before.items()
        if after.get(name) != stamp and Path(name).suffix != ".jsonl"
    ]


def left_over(run_dir: Path) -> list[str]:
    """What should be gone after a run that ended well."""
    found = [*run_dir.rglob(".writing-*"), *(run_dir / "store").rglob("*.partial")]
    return [str(path.relative_to(run_dir)) for path in found]
