"""One run of a batch: what travels to where it runs, and what comes back. Both are small."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from mvrecon import __version__, atomic
from mvrecon.engine.hashing import canonical_json, hash_text
from mvrecon.run_dir import RECORD

LOGS, OUTCOMES = "logs", "outcomes"
DONE, OUR_FAULT = 0, 1
KIB = 1024
# Between two looks of a helper at whether it is still needed.
LOOK_EVERY_S = 0.5


@dataclass(frozen=True)
class Job:
    """A run to be made.

    Attributes:
        name: of the run.
        raw_input: a video or a folder of photos.
        folder: of the batch; shared by all machines that work on it.
        options: of `mvrecon run`, as on the command line.
    """

    name: str
    raw_input: str
    folder: str
    options: tuple[str, ...] = ()

    @property
    def run_dir(self) -> Path:
        """Where the run's results are."""
        return Path(self.folder) / f"{self.name}.mvrecon"

    @property
    def log(self) -> Path:
        """What the run said."""
        return Path(self.folder) / LOGS / f"{self.name}.log"

    @property
    def outcome_file(self) -> Path:
        """What became of it, by whoever ran it last."""
        return Path(self.folder) / OUTCOMES / f"{self.name}.json"

    def fingerprint(self) -> str:
        """Equal while the program, the options and, by size and time, the input are."""
        path = Path(self.raw_input)
        files = sorted(path.iterdir()) if path.is_dir() else [path]
        stamps = [[file.name, file.stat().st_size, file.stat().st_mtime_ns] for file in files]
        return hash_text(canonical_json([__version__, self.options, self.raw_input, stamps]))

    def arguments(self) -> list[str]:
        """Of the program, without its name."""
        return ["run", self.raw_input, "-o", str(self.run_dir), *self.options]


@dataclass(frozen=True)
class Outcome:
    """What became of a run.

    Attributes:
        name: of the run.
        exit_code: of `mvrecon run`.
        message: its last words if it failed.
        wall_s, cpu_s: of this attempt, without the time that it waited to begin.
        peak_bytes: largest resident size of its process.
        fingerprint: of the job as it was when it began.
    """

    name: str
    exit_code: int
    message: str
    wall_s: float
    cpu_s: float
    peak_bytes: int
    fingerprint: str

    def save(self, path: Path) -> None:
        """Write, whoever else writes it."""
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic.write_text(path, json.dumps(asdict(self), indent=1))

    @classmethod
    def load(cls, path: Path) -> Outcome | None:
        """What `save` wrote; None if it is missing or damaged."""
        try:
            return cls(**json.loads(path.read_bytes()))
        except (OSError, ValueError, TypeError):
            return None


def is_done(job: Job) -> bool:
    """Whether an earlier batch finished this very job, and its results are still there."""
    outcome = Outcome.load(job.outcome_file)
    return (
        outcome is not None
        and outcome.exit_code == DONE
        and outcome.fingerprint == job.fingerprint()
        and (job.run_dir / RECORD).is_file()
    )


def run_job(job: Job) -> Outcome:
    """Run in a process of its own, and leave its words and its outcome in the batch's folder."""
    job.log.parent.mkdir(parents=True, exist_ok=True)
    started, fingerprint = time.monotonic(), job.fingerprint()
    with job.log.open("wb") as log:
        status, usage = _call(job, log.fileno())
    words = job.log.read_text(errors="replace").strip().splitlines()
    message = "" if status == DONE else (words[-1] if words else "").removeprefix("mvrecon: ")
    if status < 0:
        status, message = OUR_FAULT, f"ended by {signal.Signals(-status).name}; {message}"
    outcome = Outcome(
        job.name,
        status,
        message,
        round(time.monotonic() - started, 1),
        round(usage.ru_utime + usage.ru_stime, 1),
        usage.ru_maxrss * KIB,
        fingerprint,
    )
    outcome.save(job.outcome_file)
    return outcome


def help_job(job: Job, number: int) -> None:
    """Make items of a run that another worker is at, until that has its outcome.

    Args:
        job: the run.
        number: of its helpers, from 1.
    """
    log_path = job.log.with_suffix(f".helper{number}.log")
    log_path.parent.mkdir(parents=True, exist_ok=True)
    before = _time_ns(job.outcome_file)
    with log_path.open("wb") as log:
        process = _start(job, log.fileno())
    try:
        while process.poll() is None and _time_ns(job.outcome_file) == before:
            time.sleep(LOOK_EVERY_S)
    finally:
        process.terminate()
        process.wait()


def _time_ns(path: Path) -> int:
    return path.stat().st_mtime_ns if path.is_file() else 0


def _call(job: Job, output_fd: int) -> tuple[int, resource.struct_rusage]:
    """Exit status, negative for a signal, and what the process and its children used."""
    process = _start(job, output_fd)
    try:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    except BaseException:
        process.terminate()
        process.wait()
        raise
    return process.returncode, usage


def _start(job: Job, output_fd: int) -> subprocess.Popen[bytes]:
    path = os.pathsep.join(entry or "." for entry in sys.path)
    return subprocess.Popen(
        [sys.executable, "-m", "mvrecon.batch.child", *job.arguments()],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=output_fd,
        env={**os.environ, "PYTHONPATH": path},
    )
